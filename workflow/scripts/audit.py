"""Compare published claims with the study's results."""

from reprocore.pipeline.jobs import job
from reprocore.report.audit.claims import load_claims
from reprocore.report.audit.evidence import read_evidence
from reprocore.report.audit.table import audit_table, write_audit

with job(snakemake) as study:
    tables = dict(snakemake.input.items())
    claims = load_claims(tables.pop("claims"), study)
    write_audit(audit_table(claims, read_evidence(study, tables)), study, snakemake.output)
