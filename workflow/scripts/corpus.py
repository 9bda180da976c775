"""Fetch or read the text and store it as token ids."""

from reprocore.corpus import encode, write_corpus
from reprocore.jobs import job
from reprocore.shakespeare import default_cache
from reprocore.text import load_text

with job(snakemake) as study:
    settings = study.corpus
    text = load_text(
        settings.source,
        path=settings.path,
        url=settings.url,
        sha256=settings.sha256,
        cache=default_cache(),
    )
    write_corpus(snakemake.output[0], encode(text, settings.train_fraction))
