"""Table and figure of the tuning, also of choices that lie in the results of a partial study."""


def choices():
    pairs = dict.fromkeys((cell.model, cell.activation) for cell in PLAN.chosen)
    return [f"{RESULTS}/{choice_file(*pair)}" for pair in pairs]


localrules:
    tabulate_tuning,
    draw_tuning,


rule tabulate_tuning:
    input:
        forced_if_damaged,
        choices=choices(),
    output:
        table=f"{RESULTS}/{TUNING_TABLE}",
    log:
        f"{RESULTS}/logs/tabulate_tuning.log",
    params:
        **settings("tabulate_tuning"),
        source=source("tabulate_tuning.py", "reprocore.analysis.tuning"),
    script:
        "../scripts/tabulate_tuning.py"


rule draw_tuning:
    input:
        forced_if_damaged,
        table=rules.tabulate_tuning.output.table,
    output:
        tuning=study_figure("tuning"),
        svg=f"{RESULTS}/figures/tuning.svg",
    log:
        f"{RESULTS}/logs/figures/tuning.log",
    params:
        **settings("draw_tuning"),
        source=source("draw_tuning.py", "reprocore.report.figures.all_models.tuning"),
    script:
        "../scripts/draw_tuning.py"
