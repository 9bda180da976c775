"""All pairs of seeds of one (model, activation, arm), then one model's estimates and tests."""


def final_predictions(wildcards):
    """Predictions of the cells of a model, of the arm that its study is about."""
    arm = STUDY.primary_arm(wildcards.model)
    cells = [cell for cell in model_cells(wildcards.model) if cell.arm == arm]
    return cell_files(cells, "predictions.parquet")


def files_of_group(name):
    def of_wildcards(wildcards):
        group = wildcards.model, wildcards.activation, wildcards.arm
        return cell_files(PLAN.groups[group], name)

    return of_wildcards


def pairs_of_model(wildcards):
    return model_pairs(wildcards.model)


def blocks_of_model(wildcards):
    return model_pairs(wildcards.model, "blocks")


def files_of_model(name):
    def of_wildcards(wildcards):
        return cell_files(model_cells(wildcards.model), name)

    return of_wildcards


rule compare:
    input:
        forced_if_damaged,
        predictions=files_of_group("predictions.parquet"),
        continuations=files_of_group("continuations.parquet"),
    output:
        pairs=f"{RESULTS}/pairs/{{model}}/{{activation}}/{{arm}}.parquet",
        blocks=f"{RESULTS}/blocks/{{model}}/{{activation}}/{{arm}}.parquet",
    log:
        f"{RESULTS}/logs/compare/{{model}}/{{activation}}/{{arm}}.log",
    wildcard_constraints:
        model=ANALYSED,
    params:
        **settings("compare"),
        source=source("compare.py", "reprocore.analysis.pairs"),
    script:
        "../scripts/compare.py"


rule estimate:
    input:
        forced_if_damaged,
        pairs=pairs_of_model,
        blocks=blocks_of_model,
        histories=files_of_model("history.parquet"),
        evaluations=files_of_model("evaluation.parquet"),
        descriptions=files_of_model("cell.json"),
    output:
        estimates=f"{RESULTS}/models/{{model}}/estimates.parquet",
        curves=f"{RESULTS}/models/{{model}}/curves.parquet",
        cells=f"{RESULTS}/models/{{model}}/cells.parquet",
    log:
        f"{RESULTS}/logs/estimate/{{model}}.log",
    wildcard_constraints:
        model=ANALYSED,
    params:
        **settings("estimate"),
        source=source("estimate.py", "reprocore.analysis.estimates"),
    script:
        "../scripts/estimate.py"


rule analyse:
    input:
        forced_if_damaged,
        pairs=pairs_of_model,
        curves=rules.estimate.output.curves,
    output:
        contrasts=f"{RESULTS}/models/{{model}}/contrasts.parquet",
        steps=f"{RESULTS}/models/{{model}}/steps.parquet",
        sensitivity=f"{RESULTS}/models/{{model}}/sensitivity.parquet",
        sources=f"{RESULTS}/models/{{model}}/sources.parquet",
        early=f"{RESULTS}/models/{{model}}/early.parquet",
    log:
        f"{RESULTS}/logs/analyse/{{model}}.log",
    wildcard_constraints:
        model=ANALYSED,
    params:
        **settings("analyse"),
        source=source("analyse.py", "reprocore.analysis.per_model"),
    script:
        "../scripts/analyse.py"


rule positions:
    input:
        forced_if_damaged,
        predictions=final_predictions,
        probe=rules.probe.output.probe,
    output:
        cross=f"{RESULTS}/models/{{model}}/cross.parquet",
        strata=f"{RESULTS}/models/{{model}}/strata.parquet",
        text=f"{RESULTS}/models/{{model}}/text.parquet",
    log:
        f"{RESULTS}/logs/positions/{{model}}.log",
    wildcard_constraints:
        model=ANALYSED,
    params:
        **settings("positions"),
        source=source(
            "positions.py",
            "reprocore.analysis.cross",
            "reprocore.analysis.strata",
            "reprocore.analysis.text",
        ),
    script:
        "../scripts/positions.py"
