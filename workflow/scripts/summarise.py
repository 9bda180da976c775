"""Write the summary over all models."""

from reprocore.analysis.summary import summarise
from reprocore.pipeline.jobs import job
from reprocore.report.summary_text import write_summary

with job(snakemake) as study:
    inputs = snakemake.input
    table = summarise(study, inputs.estimates, inputs.cells, inputs.tuning or None)
    write_summary(
        study,
        table,
        dict(snakemake.output.items()),
        snakemake.input.sensitivity,
        snakemake.input.contrasts,
    )
