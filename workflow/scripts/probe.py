"""Choose the validation characters that every cell predicts."""

from reprocore.data.probe import build_probe, write_probe
from reprocore.data.tokens import read_corpus
from reprocore.pipeline.jobs import job

with job(snakemake) as study:
    probe = build_probe(
        read_corpus(snakemake.input.tokens),
        context=study.probe.lead,
        positions=study.probe.positions,
        block=study.probe.block,
    )
    write_probe(snakemake.output.probe, probe)
