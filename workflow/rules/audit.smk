"""The published study's claims, compared with this one's tables."""

AUDITED_TABLES = ("summary", "contrasts", "sensitivity", "cells", "curves")


rule audit:
    input:
        claims=Path(workflow.basedir) / STUDY.claims,
        tables=expand(
            f"{RESULTS}/models/{{model}}/{{table}}.parquet",
            model=MODELS,
            table=AUDITED_TABLES,
        ),
    output:
        parquet=f"{RESULTS}/audit.parquet",
        markdown=report(
            f"{RESULTS}/audit.md",
            caption="../report/audit.rst",
            category="All models",
            labels={"content": "audit of published claims"},
        ),
    log:
        f"{RESULTS}/logs/audit.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("audit"),
        source=source("audit.py", "reprocore.report.audit.table"),
    script:
        "../scripts/audit.py"
