"""Fetch or read the text and store it as token ids."""

from reprocore.data.shakespeare import default_cache
from reprocore.data.text import load_text
from reprocore.data.tokens import encode, write_corpus
from reprocore.pipeline.jobs import job

with job(snakemake) as study:
    settings = study.corpus
    text = load_text(
        settings.source,
        path=settings.path,
        url=settings.url,
        sha256=settings.sha256,
        cache=default_cache(),
    )
    write_corpus(snakemake.output.tokens, encode(text, settings.train_fraction))
