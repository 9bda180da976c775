"""Choose the validation characters that every cell predicts."""

from reprocore.data.probe import write_probe
from reprocore.data.tokens import read_corpus
from reprocore.pipeline.corpus import study_probe
from reprocore.pipeline.jobs import job

with job(snakemake) as study:
    probe = study_probe(study, read_corpus(snakemake.input.tokens))
    write_probe(snakemake.output.probe, probe)
