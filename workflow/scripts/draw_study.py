"""Draw the figures over all models."""

from reprocore.pipeline.jobs import job
from reprocore.report.figures.all_models.write import write_study_figures
from reprocore.study.layout import study_figures

with job(snakemake) as study:
    write_study_figures(
        study,
        dict(snakemake.input.items()),
        {name: snakemake.output[name] for name in study_figures(bool(study.scale))},
    )
