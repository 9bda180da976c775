"""Figures, over all models and for each."""


def figure_settings():
    """What figures depend on beside their tables."""
    return [STUDY.figures.model_dump(), STUDY.title, wanted_rows()]


def model_figures(_wildcards):
    return expand(
        f"{RESULTS}/figures/{{model}}/{{figure}}.png",
        model=MODELS,
        figure=MODEL_FIGURES,
    )


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
    output:
        *map(figure_output, MODEL_FIGURES),
        svg=[f"{RESULTS}/figures/{{model}}/{name}.svg" for name in MODEL_FIGURES],
    log:
        f"{RESULTS}/logs/figures/{{model}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings(figure_settings()),
        source=source("draw_model.py", "reprocore.figures.per_model"),
    script:
        "../scripts/draw_model.py"


rule draw_cross_model:
    input:
        summary=f"{RESULTS}/summary.parquet",
        estimates=rules.summarise.input.estimates,
        pairs=[path for model in MODELS for path in model_pairs(model)],
    output:
        report(
            f"{RESULTS}/figures/cross_model.png",
            caption="../report/cross_model.rst",
            category="All models",
            labels={"content": "cross-model figure"},
        ),
        svg=f"{RESULTS}/figures/cross_model.svg",
    log:
        f"{RESULTS}/logs/figures/cross_model.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings(figure_settings()),
        source=source("draw_cross_model.py", "reprocore.figures.cross_model"),
    script:
        "../scripts/draw_cross_model.py"
