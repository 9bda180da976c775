"""Compare the predictions of all pairs of seeds."""

from pathlib import Path

from reprocore.analysis.pairs import compare_cells
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake):
    paths = {int(Path(path).parent.name.rpartition("-")[2]): path for path in snakemake.input}
    write_table(snakemake.output[0], compare_cells(paths))
