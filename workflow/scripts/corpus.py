"""Fetch or read the text and store it as token ids."""

from reprocore.data.shakespeare import default_cache
from reprocore.data.tokens import write_corpus
from reprocore.pipeline.corpus import study_corpus
from reprocore.pipeline.jobs import job

with job(snakemake) as study:
    write_corpus(snakemake.output.tokens, study_corpus(study, default_cache()))
