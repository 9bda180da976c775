"""Estimate one model's reproducibility from its pairs, blocks and scores."""

from reprocore.analysis.estimates import estimate_model
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    tables = estimate_model(
        snakemake.input.pairs,
        snakemake.input.blocks,
        snakemake.input.histories,
        snakemake.input.evaluations,
        snakemake.input.descriptions,
        study.statistics.confidence,
    )
    for name, table in tables.items():
        write_table(snakemake.output[name], table)
