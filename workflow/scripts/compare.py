"""Compare the predictions and the texts of all pairs of seeds."""

from reprocore.analysis.pairs import compare_cells
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    tables = compare_cells(
        snakemake.input.predictions, snakemake.input.continuations, study.probe.block
    )
    for name, table in tables.items():
        write_table(snakemake.output[name], table)
