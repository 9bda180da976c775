"""One table over all models."""


rule summarise:
    input:
        estimates=expand(f"{RESULTS}/models/{{model}}/summary.parquet", model=MODELS),
        cells=expand(f"{RESULTS}/models/{{model}}/cells.parquet", model=MODELS),
        sensitivity=expand(
            f"{RESULTS}/models/{{model}}/sensitivity.parquet", model=MODELS
        ),
        contrasts=expand(f"{RESULTS}/models/{{model}}/contrasts.parquet", model=MODELS),
    output:
        report(
            f"{RESULTS}/summary.csv",
            caption="../report/summary.rst",
            category="All models",
            labels={"content": "summary table"},
        ),
        parquet=f"{RESULTS}/summary.parquet",
        markdown=f"{RESULTS}/summary.md",
    log:
        f"{RESULTS}/logs/summarise.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("summarise"),
        source=source("summarise.py", "reprocore.analysis.summary"),
    script:
        "../scripts/summarise.py"


rule across:
    input:
        pairs=[path for model in MODELS for path in model_pairs(model)],
        curves=expand(f"{RESULTS}/models/{{model}}/curves.parquet", model=MODELS),
    output:
        ratios=f"{RESULTS}/across/ratios.parquet",
        early_sensitivity=f"{RESULTS}/across/early_sensitivity.parquet",
    log:
        f"{RESULTS}/logs/across.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("across"),
        source=source("across.py", "reprocore.analysis.over_models"),
    script:
        "../scripts/across.py"
