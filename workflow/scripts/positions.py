"""Compare one model's activations with one another, and its positions by stratum and one by one."""

from reprocore.analysis.cross import cross_table
from reprocore.analysis.final_predictions import read_final_predictions
from reprocore.analysis.strata import strata_table
from reprocore.analysis.text import text_table
from reprocore.data.probe import read_probe
from reprocore.pipeline.jobs import job
from reprocore.store.tables import write_table

with job(snakemake) as study:
    model, out = snakemake.wildcards.model, snakemake.output
    final = read_final_predictions(snakemake.input.predictions)
    probe = read_probe(snakemake.input.probe)
    write_table(out.cross, cross_table(study, model, final))
    write_table(out.strata, strata_table(study, model, final, probe.symbols))
    write_table(out.text, text_table(study, model, final, probe))
