"""Compare one model's activations with one another, and its positions by stratum."""

from reprocore.analysis.cross import cross_table
from reprocore.analysis.final_predictions import read_final_predictions
from reprocore.analysis.strata import strata_table
from reprocore.data.tokens import read_corpus
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    model = snakemake.wildcards.model
    final = read_final_predictions(snakemake.input.predictions)
    symbols = read_corpus(snakemake.input.corpus).symbols
    write_table(snakemake.output.cross, cross_table(study, model, final))
    write_table(snakemake.output.strata, strata_table(study, model, final, symbols))
