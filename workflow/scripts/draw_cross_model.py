"""Draw the cross-model figure."""

from pathlib import Path

from reprocore.figures import write_cross_model_figure
from reprocore.jobs import job

with job(snakemake) as study:
    write_cross_model_figure(
        study,
        Path(snakemake.input.summary),
        [Path(path) for path in snakemake.input.estimates],
        [Path(path) for path in snakemake.input.pairs],
        Path(snakemake.output[0]).with_suffix(""),
    )
