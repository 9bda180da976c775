"""Figures, over all models and for each."""

from reprocore.study.layout import STUDY_FIGURES


def model_tables(name):
    return expand(f"{RESULTS}/models/{{model}}/{name}.parquet", model=MODELS)


def model_figures(_wildcards):
    return expand(
        f"{RESULTS}/figures/{{model}}/{{figure}}.png",
        model=MODELS,
        figure=MODEL_FIGURES,
    )


def study_figures():
    return [f"{RESULTS}/figures/{name}.png" for name in STUDY_FIGURES]


def figure_output(name):
    return report(
        f"{RESULTS}/figures/{{model}}/{name}.png",
        caption=f"../report/{name}.rst",
        category="One model",
        subcategory="{model}",
        labels={"model": "{model}", "figure": name.replace("_", " ")},
    )


rule draw_model:
    input:
        summary=rules.aggregate.output.summary,
        curves=rules.aggregate.output.curves,
        cells=rules.aggregate.output.cells,
        contrasts=rules.analyse.output.contrasts,
    output:
        *map(figure_output, MODEL_FIGURES),
        svg=[f"{RESULTS}/figures/{{model}}/{name}.svg" for name in MODEL_FIGURES],
    log:
        f"{RESULTS}/logs/figures/{{model}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("draw_model"),
        source=source("draw_model.py", "reprocore.report.figures.one_model.write"),
    script:
        "../scripts/draw_model.py"


def study_figure_output(name):
    return report(
        f"{RESULTS}/figures/{name}.png",
        caption=f"../report/{name}.rst",
        category="All models",
        labels={"content": f"figure: {name.replace('_', ' ')}"},
    )


rule draw_study:
    input:
        summary=f"{RESULTS}/summary.parquet",
        estimates=model_tables("summary"),
        sensitivity=model_tables("sensitivity"),
        sources=model_tables("sources"),
        early=model_tables("early"),
        across=[rules.across.output.ratios, rules.across.output.early_sensitivity],
        pairs=[path for model in MODELS for path in model_pairs(model)],
    output:
        *map(study_figure_output, STUDY_FIGURES),
        svg=[f"{RESULTS}/figures/{name}.svg" for name in STUDY_FIGURES],
    log:
        f"{RESULTS}/logs/figures/study.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings("draw_study"),
        source=source("draw_study.py", "reprocore.report.figures.all_models.write"),
    script:
        "../scripts/draw_study.py"
