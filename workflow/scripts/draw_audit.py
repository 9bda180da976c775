"""Draw the audit of published claims."""

from pathlib import Path

from reprocore.figures.audit import write
from reprocore.jobs import job

with job(snakemake) as study:
    write(study, snakemake.input[0], Path(snakemake.output[0]).with_suffix(""))
