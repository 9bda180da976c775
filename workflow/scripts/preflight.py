"""Check a model with an activation before any of its cells is trained."""

from reprocore.data.tokens import read_corpus
from reprocore.pipeline.jobs import job
from reprocore.pipeline.preflight import write_preflight

with job(snakemake) as study:
    model, activation = snakemake.wildcards
    write_preflight(study, model, activation, read_corpus(snakemake.input.corpus))
