"""One training job per (model, activation, arm, seed)."""

from snakemake.io import IOFile


@cache
def cell_parameters(cell):
    """Parameters of a training job: the settings of its cell, and the code that trains it."""
    source = f"source {cell_identity(STUDY, cell)['source']}"
    return parameters(cell_settings(STUDY, cell)) | {"source": source}


def cell_parameter(name):
    def of_wildcards(wildcards):
        return cell_parameters(cell_of(wildcards))[name]

    return of_wildcards


def forced_if_not_done(wildcards):
    """No file; but a cell that Snakemake takes for done, and that is damaged or stale, is forced.

    Snakemake compares parameters with its own metadata, which can be gone, or of cells that were
    put in the place of others since; where it sees the change itself, it names it.
    """
    cell = cell_of(wildcards)
    again = PLAN.looks[cell].state in (State.DAMAGED, State.STALE)
    if workflow.is_main_process and again:
        known = workflow.persistence.params(IOFile(cell_file(cell, "cell.json"), None))
        if not known or set(known) == set(map(repr, cell_parameters(cell).values())):
            workflow.dag.forcefiles.update(cell_file(cell, name) for name in CELL_FILES)
    return []


def needs(wildcards):
    return STUDY.models[wildcards.model].resources


def memory(wildcards, attempt):
    return needs(wildcards).mem_mb * attempt


def minutes(wildcards, attempt):
    return needs(wildcards).minutes * attempt


def gpus(wildcards):
    return needs(wildcards).gpu


def cell_threads(wildcards):
    return STUDY.training_of(wildcards.model).threads


rule train:
    input:
        forced_if_not_done,
        corpus=rules.corpus.output.tokens,
        probe=rules.probe.output.probe,
    output:
        **{Path(name).stem: f"{CELL}/{name}" for name in CELL_FILES},
    log:
        f"{RESULTS}/logs/train/{{model}}/{{activation}}/{{arm}}-{{seed}}.log",
    wildcard_constraints:
        model="|".join(PLAN.runnable) or "none",
    threads: cell_threads
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        **{name: cell_parameter(name) for name in (*CELL_SETTINGS, "source")},
    script:
        "../scripts/train.py"
