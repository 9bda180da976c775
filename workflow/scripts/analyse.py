"""Test one model's activations against one another."""

from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_courses
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    courses = read_courses(snakemake.input.pairs, snakemake.input.curves)
    tables = analyse_model(study, snakemake.wildcards.model, courses)
    for name, table in tables.items():
        write_table(snakemake.output[name], table)
