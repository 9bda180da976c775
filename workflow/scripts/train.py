"""Train one cell."""

from pathlib import Path

from reprocore.data.probe import read_probe
from reprocore.data.tokens import read_corpus
from reprocore.pipeline.jobs import check_corpus, job
from reprocore.store.records import study_command
from reprocore.study.cells import Cell
from reprocore.training.cell import print_progress, train_cell

with job(snakemake) as study:
    corpus = read_corpus(snakemake.input.corpus)
    check_corpus(study, corpus.sha256, study_command(study.results))
    train_cell(
        study,
        Cell.of_labels(snakemake.wildcards),
        corpus,
        read_probe(snakemake.input.probe),
        Path(snakemake.output.cell).parent,
        print_progress,
    )
