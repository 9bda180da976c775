"""Draw the figures over all models."""

from pathlib import Path

from reprocore.pipeline.jobs import job
from reprocore.report.figures.all_models.write import write_study_figures

with job(snakemake) as study:
    write_study_figures(
        study,
        Path(snakemake.input.summary).parent,
        [Path(path).parent.name for path in snakemake.input.estimates],
        snakemake.input.pairs,
        Path(snakemake.output[0]).parent,
    )
