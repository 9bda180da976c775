"""Draw the figures over all models."""

from pathlib import Path

from reprocore.figures import write_study_figures
from reprocore.jobs import job

with job(snakemake) as study:
    write_study_figures(
        study,
        Path(snakemake.input.summary).parent,
        [Path(path).parent.name for path in snakemake.input.estimates],
        snakemake.input.pairs,
        Path(snakemake.output[0]).parent,
    )
