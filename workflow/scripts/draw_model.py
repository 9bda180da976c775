"""Draw the figures of one model."""

from reprocore.pipeline.jobs import job
from reprocore.report.figures.one_model.write import write_model_figures
from reprocore.study.layout import MODEL_FIGURES

with job(snakemake) as study:
    write_model_figures(
        study,
        snakemake.wildcards.model,
        dict(snakemake.input.items()),
        {name: snakemake.output[name] for name in MODEL_FIGURES},
    )
