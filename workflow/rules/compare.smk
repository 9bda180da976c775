"""All pairs of seeds of one (model, activation, arm), then one model's estimates."""


def group_predictions(wildcards):
    return cell_files(group_cells(wildcards), "predictions.parquet")


rule compare:
    input:
        group_predictions,
    output:
        f"{RESULTS}/pairs/{{model}}/{{activation}}/{{arm}}.parquet",
    log:
        f"{RESULTS}/logs/compare/{{model}}/{{activation}}/{{arm}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        source=source("compare.py", "reprocore.analysis.pairs"),
    script:
        "../scripts/compare.py"


def wildcard_model_pairs(wildcards):
    return model_pairs(wildcards.model)


def model_histories(wildcards):
    return cell_files(model_cells(wildcards), "history.parquet")


def model_descriptions(wildcards):
    return cell_files(model_cells(wildcards), "cell.json")


rule aggregate:
    input:
        pairs=wildcard_model_pairs,
        histories=model_histories,
        descriptions=model_descriptions,
    output:
        summary=f"{RESULTS}/models/{{model}}/summary.parquet",
        curves=f"{RESULTS}/models/{{model}}/curves.parquet",
        cells=f"{RESULTS}/models/{{model}}/cells.parquet",
    log:
        f"{RESULTS}/logs/aggregate/{{model}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("aggregate"),
        source=source("aggregate.py", "reprocore.analysis.estimates"),
    script:
        "../scripts/aggregate.py"


rule analyse:
    input:
        pairs=wildcard_model_pairs,
        curves=rules.aggregate.output.curves,
    output:
        **{
            name: f"{RESULTS}/models/{{model}}/{name}.parquet"
            for name in ("contrasts", "sensitivity", "sources", "early")
        },
    log:
        f"{RESULTS}/logs/analyse/{{model}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("analyse"),
        source=source("analyse.py", "reprocore.analysis.per_model"),
    script:
        "../scripts/analyse.py"
