"""Draw the audit of published claims."""

from pathlib import Path

from reprocore.pipeline.jobs import job
from reprocore.report.figures.audit import write

with job(snakemake) as study:
    write(study, snakemake.input[0], Path(snakemake.output[0]).with_suffix(""))
