"""Draw the figures of one model."""

from pathlib import Path

from reprocore.pipeline.jobs import job
from reprocore.report.figures.one_model.write import write_model_figures

with job(snakemake) as study:
    tables = Path(snakemake.input.summary).parent
    out = Path(snakemake.output[0]).parent
    write_model_figures(study, snakemake.wildcards.model, tables, out)
