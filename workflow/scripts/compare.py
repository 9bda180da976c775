"""Compare the predictions and the texts of all pairs of seeds."""

from reprocore.analysis.pairs import compare_cells
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake):
    table = compare_cells(snakemake.input.predictions, snakemake.input.continuations)
    write_table(snakemake.output.pairs, table)
