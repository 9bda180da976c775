"""One training job per (model, activation, arm, seed)."""

# Once, not for each cell.
SCRIPT_SOURCE = source("train.py")


def identified(wildcards):
    return IDENTITIES[Cell(*wildcards[:3], int(wildcards.seed))]


def cell_settings_digest(wildcards):
    return f"settings {identified(wildcards)['settings']}"


def cell_source_digest(wildcards):
    return SCRIPT_SOURCE + identified(wildcards)["source"]


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
        corpus=rules.corpus.output[0],
        probe=rules.probe.output[0],
    output:
        **{Path(name).stem: f"{CELL}/{name}" for name in CELL_FILES},
    log:
        f"{RESULTS}/logs/train/{{model}}/{{activation}}/{{arm}}-{{seed}}.log",
    wildcard_constraints:
        model="|".join(RUNNABLE) or "none",
    threads: cell_threads
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        settings=cell_settings_digest,
        source=cell_source_digest,
    script:
        "../scripts/train.py"
