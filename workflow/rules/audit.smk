"""Published claims, compared with this study's tables."""


localrules:
    audit,


rule audit:
    input:
        forced_if_damaged,
        **{
            name: model_tables(name)
            for name in ("estimates", "contrasts", "sensitivity", "cells", "curves")
        },
        claims=STUDY.claims,
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
    params:
        **settings("audit"),
        source=source("audit.py", "reprocore.report.audit.table"),
    script:
        "../scripts/audit.py"
