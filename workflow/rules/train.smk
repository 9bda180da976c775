"""One training job per (model, activation, arm, seed)."""


def cell_of(wildcards):
    return Cell(*wildcards[:3], int(wildcards.seed))


@cache
def cell_parameters(cell):
    """Parameters of a training job: the settings of its cell, and the code that trains it."""
    source = f"source {cell_identity(STUDY, cell)['source']}"
    return parameters(cell_settings(STUDY, cell)) | {"source": source}


def cell_parameter(name):
    def of_wildcards(wildcards):
        return cell_parameters(cell_of(wildcards))[name]

    return of_wildcards


def forced_if_stale(wildcards):
    """No file; but a cell that only its `cell.json` shows to be stale is forced.

    Snakemake compares parameters with its own metadata, which can be gone, or of cells that were
    put in the place of others since.
    """
    cell = cell_of(wildcards)
    if workflow.is_main_process and PLAN.stale(cell):
        files, _ = workflow.get_rule("train").expand_output(wildcards)
        known = workflow.persistence.params(files.cell)
        if not known or set(known) == set(map(repr, cell_parameters(cell).values())):
            workflow.dag.forcefiles.update(files)
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
        forced_if_stale,
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
