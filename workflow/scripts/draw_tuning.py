"""Draw the loss by learning rate."""

from reprocore.pipeline.jobs import job
from reprocore.report.figures import style
from reprocore.report.figures.all_models.tuning import draw_tuning
from reprocore.store.schemas import TUNING_SCHEMA
from reprocore.store.tables import read_table

with job(snakemake) as study:
    table = read_table(snakemake.input.table, TUNING_SCHEMA).to_pandas()
    style.save(draw_tuning(study, table), snakemake.output.tuning)
