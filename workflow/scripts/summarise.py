"""Write the cross-model summary."""

from pathlib import Path

from reprocore.jobs import job
from reprocore.summary import summarise, write_summary

with job(snakemake) as study:
    table = summarise(study, snakemake.input.estimates, snakemake.input.cells)
    write_summary(
        study,
        table,
        Path(snakemake.output.parquet).parent,
        snakemake.input.sensitivity,
        snakemake.input.contrasts,
    )
