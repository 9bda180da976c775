"""Choose the learning rate of a model with an activation from its tuning cells."""

from reprocore.pipeline.jobs import job
from reprocore.store.choices import choose_from_cells, write_choice

with job(snakemake) as study:
    write_choice(snakemake.output.choice, choose_from_cells(study.tuning, snakemake.input.cells))
