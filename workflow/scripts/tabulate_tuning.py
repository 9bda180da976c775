"""Put all learning rates that were tried into one table."""

from reprocore.analysis.tuning import tuning_table
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    write_table(snakemake.output.table, tuning_table(study, snakemake.input.choices))
