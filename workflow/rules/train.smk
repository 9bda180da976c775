"""One check per (model, activation), then one training job per (model, activation, arm, seed)."""

PREFLIGHT = f"{RESULTS}/{preflight_file('{model}', '{activation}')}"


def preflight_source(wildcards):
    return f"source {preflight_identity(STUDY, *wildcards)['source']}"


def forced_if_stale_preflight(wildcards):
    """No file; but a check that only its own content shows to be stale is forced."""
    if workflow.is_main_process and PLAN.preflight_is_stale(*wildcards):
        today = ORIGINS.settings("preflight", *wildcards).values()
        force_if_unseen("preflight", wildcards, [*today, preflight_source(wildcards)])
    return []


def force_if_unseen(rule, wildcards, today):
    """Force the files of a job, unless Snakemake sees by itself that its parameters changed."""
    files, _ = workflow.get_rule(rule).expand_output(wildcards)
    if goes_unseen(files[0], today):
        workflow.dag.forcefiles.update(files)


def waits_for_rate(cell):
    """Whether the learning rate of a cell is still to be chosen, by this run."""
    pair = cell.model, cell.activation
    if cell.rate is not None or pair not in PLAN.unchosen:
        return False
    return f"{RESULTS}/{choice_file(*pair)}" not in workflow.checkpoints.created_output


def state_of(cell):
    return _state(cell, waits_for_rate(cell))


@cache
def _state(cell, waits):
    if waits or cell.rate or (cell.model, cell.activation) not in PLAN.unchosen:
        return PLAN.looks[cell].state
    # A rate has been chosen since the plan was made.
    return look_at_cell(RESULTS, cell, cell_identity(STUDY, cell)).state


def cell_parameters(cell):
    """Parameters of a training job: the settings of its cell, and the code that trains it."""
    return _parameters(cell, waits_for_rate(cell))


@cache
def _parameters(cell, _waits):
    source = f"source {cell_identity(STUDY, cell)['source']}"
    return parameters(cell_settings(STUDY, cell)) | {"source": source}


def cell_parameter(name):
    @inspected
    def of_wildcards(wildcards):
        return cell_parameters(Cell.of_labels(wildcards))[name]

    return of_wildcards


@inspected
def cell_inputs(wildcards):
    """What a cell is trained from, and waits for; a cell that is done needs nothing any more.

    All that can change the cell is in its parameters. Snakemake would train it again as soon as
    a file is made again, or is younger, whether or not it is the same. A cell that Snakemake takes
    for done, and that is damaged or stale, is forced.
    """
    cell = Cell.of_labels(wildcards)
    state, waits = state_of(cell), waits_for_rate(cell)
    done = state is State.DONE and not is_forced(cell)
    if state in (State.DAMAGED, State.STALE) and not waits and workflow.is_main_process:
        force_if_unseen(cell.rule, wildcards, cell_parameters(cell).values())
    # As plain text: a flag would stay with the file of the rule, and be that of all cells.
    files = {
        "corpus": str(rules.corpus.output.tokens),
        "probe": str(rules.probe.output.probe),
        "preflight": f"{RESULTS}/{preflight_file(cell.model, cell.activation)}",
    }
    if done:
        asked = asked_for(cell, workflow.dag_settings.targets)
        # Snakemake refuses a target whose job lacks an input, though the target is there.
        files = {
            name: (
                ancient(before_update(file))
                if Path(file).exists() or not asked
                else file
            )
            for name, file in files.items()
        }
    if waits:
        # The choice is a checkpoint: when it has been made, Snakemake asks all that is asked here
        # again for the cells that waited. Then they no longer depend on the file, and only those
        # run that are missing or that another choice has changed.
        choice = f"{RESULTS}/{choice_file(cell.model, cell.activation)}"
        files["learning_rate"] = ancient(choice) if done else choice
    return files


def is_forced(cell):
    """Whether the command line asks to train a cell again whatever its state."""
    asked = workflow.dag_settings
    targets = asked.targets if asked.forcetargets else ()
    forced = asked.forceall or cell.rule in asked.forcerun
    return forced or asked_for(cell, {*asked.forcerun, *targets})


def asked_for(cell, names):
    return any(cell_file(cell, name) in names for name in cell.files)


def needs(wildcards):
    return STUDY.models[wildcards.model].resources


@inspected
def memory(wildcards, attempt):
    return needs(wildcards).mem_mb * attempt


@inspected
def minutes(wildcards, attempt):
    return needs(wildcards).minutes * attempt


@inspected
def gpus(wildcards):
    return needs(wildcards).gpu


@inspected
def cell_threads(wildcards):
    return STUDY.training_of(wildcards.model).threads


# A short job on the CPU, also for models that train on a GPU, and on a cluster no local one: it
# may need the model's memory, and it shows that the environment works where cells are trained.
rule preflight:
    input:
        forced_if_damaged,
        forced_if_stale_preflight,
        corpus=rules.corpus.output.tokens,
    output:
        passed=PREFLIGHT,
    log:
        f"{RESULTS}/logs/preflight/{{model}}/{{activation}}.log",
    # A broken model stays broken.
    retries: 0
    resources:
        mem_mb=memory,
    params:
        **settings("preflight"),
        source=preflight_source,
    script:
        "../scripts/preflight.py"


rule train:
    input:
        unpack(cell_inputs),
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
