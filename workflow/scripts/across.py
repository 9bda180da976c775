"""Put what the models of a study say together."""

from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.scale import analyse_scale, read_parameters
from reprocore.analysis.trajectories import read_trajectories
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    models = read_trajectories(snakemake.input.pairs, snakemake.input.curves)
    scale = analyse_scale(study, models, read_parameters(snakemake.input.cells))
    for name, table in {**analyse_across(study, models), "scale": scale}.items():
        write_table(snakemake.output[name], table)
