"""The published study's claims, held against this one's tables."""

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
        markdown=f"{RESULTS}/audit.md",
    log:
        f"{RESULTS}/logs/audit.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("audit"),
        source=source("audit.py", "reprocore.audit"),
    script:
        "../scripts/audit.py"


rule draw_audit:
    input:
        rules.audit.output.parquet,
    output:
        report(
            f"{RESULTS}/figures/audit.png",
            caption="../report/audit.rst",
            category="All models",
            labels={"content": "audit of published claims"},
        ),
        svg=f"{RESULTS}/figures/audit.svg",
    log:
        f"{RESULTS}/logs/figures/audit.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("draw_audit"),
        source=source("draw_audit.py", "reprocore.report.figures.audit"),
    script:
        "../scripts/draw_audit.py"
