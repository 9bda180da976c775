"""Put the activations' ratios of all models together."""

from pathlib import Path

from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.trajectories import read_courses
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    models = {}
    for path in map(Path, snakemake.input.curves):
        model = path.parent.name
        pairs = [each for each in map(Path, snakemake.input.pairs) if each.parts[-3] == model]
        models[model] = read_courses(pairs, path)
    for name, table in analyse_across(study, models).items():
        write_table(snakemake.output[name], table)
