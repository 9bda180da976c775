"""Tuning cells, which are trained like others, and the choice of a learning rate that they make."""

TUNING_CELL = f"{RESULTS}/tuning/{{model}}/{{activation}}/{{rate}}/{{seed}}"


def tuning_cells_of_choice(wildcards):
    return [
        cell_file(cell, "cell.json")
        for cell in PLAN.trials
        if (cell.model, cell.activation) == (wildcards.model, wildcards.activation)
    ]


def forced_if_unchosen(wildcards):
    """No file; but a choice that its tuning cells do not give, as they are today, is forced."""
    if workflow.is_main_process and tuple(wildcards) in PLAN.unchosen:
        files, _ = workflow.get_rule("choose_rate").expand_output(wildcards)
        workflow.dag.forcefiles.update(files)
    return []


localrules:
    choose_rate,


use rule train as tune with:
    output:
        **{Path(name).stem: f"{TUNING_CELL}/{name}" for name in TUNING_FILES},
    log:
        f"{RESULTS}/logs/tune/{{model}}/{{activation}}/{{rate}}-{{seed}}.log",


checkpoint choose_rate:
    input:
        forced_if_damaged,
        forced_if_unchosen,
        cells=tuning_cells_of_choice,
    output:
        choice=f"{RESULTS}/{choice_file('{model}', '{activation}')}",
    log:
        f"{RESULTS}/logs/choose_rate/{{model}}/{{activation}}.log",
    wildcard_constraints:
        model="|".join(PLAN.runnable) or "none",
    params:
        **settings("choose_rate"),
        source=source("choose_rate.py", "reprocore.store.choices"),
    script:
        "../scripts/choose_rate.py"
