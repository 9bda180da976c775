"""Figures, of each model and over all models."""


def model_figure(name):
    return report(
        f"{RESULTS}/figures/{{model}}/{name}.png",
        caption=f"../report/{name}.rst",
        category="One model",
        subcategory="{model}",
        labels={"model": "{model}", "figure": name.replace("_", " ")},
    )


def study_figure(name):
    return report(
        f"{RESULTS}/figures/{name}.png",
        caption=f"../report/{name}.rst",
        category="All models",
        labels={"content": f"figure: {name.replace('_', ' ')}"},
    )


rule draw_model:
    input:
        forced_if_damaged,
        estimates=rules.estimate.output.estimates,
        curves=rules.estimate.output.curves,
        cells=rules.estimate.output.cells,
        contrasts=rules.analyse.output.contrasts,
        cross=rules.positions.output.cross,
        strata=rules.positions.output.strata,
    output:
        **{name: model_figure(name) for name in MODEL_FIGURES},
        svg=[f"{RESULTS}/figures/{{model}}/{name}.svg" for name in MODEL_FIGURES],
    log:
        f"{RESULTS}/logs/figures/{{model}}.log",
    params:
        **settings("draw_model"),
        source=source("draw_model.py", "reprocore.report.figures.one_model.write"),
    script:
        "../scripts/draw_model.py"


rule draw_study:
    input:
        forced_if_damaged,
        summary=rules.summarise.output.parquet,
        estimates=model_tables("estimates"),
        sensitivity=model_tables("sensitivity"),
        sources=model_tables("sources"),
        early=model_tables("early"),
        ratios=rules.across.output.ratios,
        early_model_order=rules.across.output.early_model_order,
        scale=rules.across.output.scale,
        pairs=all_pairs(),
    output:
        **{name: study_figure(name) for name in STUDY_FIGURES},
        svg=[f"{RESULTS}/figures/{name}.svg" for name in STUDY_FIGURES],
    log:
        f"{RESULTS}/logs/figures/study.log",
    params:
        **settings("draw_study"),
        source=source("draw_study.py", "reprocore.report.figures.all_models.write"),
    script:
        "../scripts/draw_study.py"
