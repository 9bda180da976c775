"""Hold published claims against the study's results."""

from pathlib import Path

from reprocore.audit import audit, read_evidence, write_audit
from reprocore.claims import load_claims
from reprocore.pipeline.jobs import job

with job(snakemake) as study:
    folders = {Path(path).parent.name: Path(path).parent for path in snakemake.input.tables}
    table = audit(load_claims(snakemake.input.claims, study), read_evidence(study, folders))
    write_audit(table, study, Path(snakemake.output.parquet).parent)
