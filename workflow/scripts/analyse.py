"""Test one model's activations against one another."""

from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_trajectories
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    model = snakemake.wildcards.model
    trajectories = read_trajectories(snakemake.input.pairs, [snakemake.input.curves])
    for name, table in analyse_model(study, model, trajectories[model]).items():
        write_table(snakemake.output[name], table)
