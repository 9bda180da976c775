"""Compare published claims with the study's results."""

from pathlib import Path

from reprocore.jobs import job
from reprocore.report.audit.claims import load_claims
from reprocore.report.audit.evidence import read_evidence
from reprocore.report.audit.table import audit_table, write_audit

with job(snakemake) as study:
    folders = {Path(path).parent.name: Path(path).parent for path in snakemake.input.tables}
    table = audit_table(load_claims(snakemake.input.claims, study), read_evidence(study, folders))
    write_audit(table, study, Path(snakemake.output.parquet).parent)
