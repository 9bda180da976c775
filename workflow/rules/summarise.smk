"""Tables over all models."""


rule summarise:
    input:
        forced_if_damaged,
        estimates=model_tables("estimates"),
        cells=model_tables("cells"),
        sensitivity=model_tables("sensitivity"),
        contrasts=model_tables("contrasts"),
        tuning=f"{RESULTS}/{TUNING_TABLE}" if STUDY.tuning else [],
    output:
        csv=report(
            f"{RESULTS}/summary.csv",
            caption="../report/summary.rst",
            category="All models",
            labels={"content": "summary table"},
        ),
        parquet=f"{RESULTS}/summary.parquet",
        markdown=report(
            f"{RESULTS}/summary.md",
            caption="../report/summary_text.rst",
            category="All models",
            labels={"content": "summary with the verdicts"},
        ),
    log:
        f"{RESULTS}/logs/summarise.log",
    params:
        **settings("summarise"),
        source=source("summarise.py", "reprocore.report.summary_text"),
    script:
        "../scripts/summarise.py"


rule across:
    input:
        forced_if_damaged,
        pairs=all_pairs(),
        curves=model_tables("curves"),
        cells=model_tables("cells"),
    output:
        **{name: f"{RESULTS}/across/{name}.parquet" for name in ACROSS_TABLES},
    log:
        f"{RESULTS}/logs/across.log",
    params:
        **settings("across"),
        source=source(
            "across.py", "reprocore.analysis.over_models", "reprocore.analysis.scale"
        ),
    script:
        "../scripts/across.py"
