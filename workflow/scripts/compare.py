"""Compare the predictions of all pairs of seeds."""

from reprocore.analysis.pairs import compare_cells
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake):
    write_table(snakemake.output.pairs, compare_cells(snakemake.input.predictions))
