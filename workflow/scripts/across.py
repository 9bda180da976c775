"""Put the activations' ratios of all models together."""

from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.trajectories import read_trajectories
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    models = read_trajectories(snakemake.input.pairs, snakemake.input.curves)
    for name, table in analyse_across(study, models).items():
        write_table(snakemake.output[name], table)
