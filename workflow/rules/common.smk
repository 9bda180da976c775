"""The study, resolved: its cells, their files, and what each rule depends on beside its inputs.

Reading this changes nothing on disk.
"""

import inspect
import os
import sys
from functools import cache
from pathlib import Path

from snakemake.common import overwrite_function_params
from snakemake.io import IOFile

from reprocore.errors import ReprocoreError, visible
from reprocore.pipeline.plan import Plan, State, look_at_cell, only
from reprocore.pipeline.runs import (
    WorkflowRun,
    check_archived,
    profile_options,
    snakemake_command,
)
from reprocore.pipeline.verification.origins import Origins
from reprocore.store.identity import (
    CELL_SETTINGS,
    RULE_SETTINGS,
    cell_identity,
    cell_settings,
    parameters,
    preflight_identity,
)
from reprocore.store.source_digest import (
    CELL_LAYERS,
    TABLE_LAYERS,
    data_digest,
    digest,
    source_digest,
    text_digest,
)
from reprocore.study.cells import CELL_FILES, TUNING_FILES, Cell
from reprocore.study.gpus import local_gpus
from reprocore.study.layout import (
    ACROSS_TABLES,
    ANSWER,
    MODEL_FIGURES,
    PAGE,
    PROBE_FILE,
    TOKENS_FILE,
    TUNING_TABLE,
    choice_file,
    preflight_file,
    study_figures,
)
from reprocore.study.permissions import check_links, check_places
from reprocore.study.reading import read_yaml
from reprocore.study.study import parse_study
from reprocore.vocabulary import counted


def or_exit(action, *arguments):
    """Do something whose failure is a user's to mend: one line, without a trace of this file."""
    try:
        return action(*arguments)
    except ReprocoreError as error:
        # Not a WorkflowError, whose message would point to this file.
        raise SystemExit(f"error: {error}") from None


def resolve_study():
    for path in workflow.configfiles:
        # Snakemake, which has read them already, takes the last of two equal keys.
        read_yaml(path)
    study = parse_study(config, ", ".join(map(str, workflow.configfiles)))
    check_places(study)
    if study.claims:
        read_yaml(study.claims)
    return study


def plan_study():
    plan = Plan.of(STUDY)
    check_archived(plan)
    return plan


def study_command():
    """The command that runs this study as it runs now, and so can make any part of it again."""
    return command_with(profile_options(sys.argv))


def command_with(options):
    values = workflow.config_settings.config.items()
    overrides = {key: value for key, value in values if key != "partial"}
    return snakemake_command(workflow.configfiles, overrides, options)


def reprocore_command(name):
    """A command of `reprocore` about this study; it takes the same options, but no profiles."""
    return command_with([]).replace("snakemake", f"reprocore {name}", 1)


# Jobs are started as `python -m snakemake`, which would import what lies in the working folder.
os.environ["PYTHONSAFEPATH"] = "1"
STUDY = or_exit(resolve_study)
# Before the plan: a run that ends after a look at the files has changed them.
RUN = WorkflowRun(STUDY, study_command())
PLAN = or_exit(plan_study)
ORIGINS = Origins(PLAN)
RESULTS = STUDY.results
STUDY_FIGURES = study_figures(bool(STUDY.scale))
SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
# Models whose tables can be made; those of an archive are taken as they are.
ANALYSED = "|".join(m for m in PLAN.models if m not in PLAN.archived) or "none"
CELL = f"{RESULTS}/cells/{{model}}/{{activation}}/{{arm}}-{{seed}}"


wildcard_constraints:
    model="[a-z][a-z0-9_]*",
    activation="[a-z][a-z0-9_]*",
    arm="all|init|order|dropout|none",
    seed="[0-9]+",
    rate="[0-9.e+-]+",


def inspected(function):
    """A function with its signature at hand, which Snakemake else makes out at every call.

    That is a sixth of the time that planning takes.
    """
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


def cell_file(cell, name):
    return str(cell.folder(RESULTS) / name)


def cell_files(cells, name):
    return [cell_file(cell, name) for cell in cells]


def asked_files(cell):
    """The files of a cell to ask for; one asks for all, unless some are there and some are not."""
    names = cell.files if PLAN.looks[cell].state is State.DAMAGED else cell.files[-1:]
    return [cell_file(cell, name) for name in names]


def model_cells(model):
    return [cell for cell in PLAN.taken if cell.model == model]


def model_pairs(model, kind="pairs"):
    """Files of pairs, or blocks, of a model: one for each group with at least two seeds."""
    return [
        f"{RESULTS}/{kind}/{'/'.join(group)}.parquet"
        for group, cells in PLAN.groups.items()
        if group[0] == model and len(cells) > 1
    ]


def all_pairs():
    return [path for model in PLAN.models for path in model_pairs(model)]


def model_tables(name):
    return expand(f"{RESULTS}/models/{{model}}/{name}.parquet", model=PLAN.models)


def source(script, *modules, layers=TABLE_LAYERS, templates=()):
    """Digest of a script and of the modules that it runs, with what these import.

    Of the packages in `templates` also of the files that are no Python, such as those of a page.
    """
    code = [text_digest(SCRIPTS / script), source_digest(*modules, layers=layers)]
    return f"source {digest([*code, *map(data_digest, templates)])}"


def settings(rule):
    """Parameters of a rule: by name, each setting that matters to it."""

    def parameter(name):
        @inspected
        def of_wildcards(wildcards):
            labels = wildcards.get("model"), wildcards.get("activation")
            return ORIGINS.settings(rule, *labels)[name]

        return of_wildcards

    return {name: parameter(name) for name in RULE_SETTINGS[rule]}


def announce_trainings():
    """Tell a logger how many trainings the targets ask for, and what is known of those done."""
    trainings = {}
    for job in workflow.dag.jobs:
        if job.rule.name in ("train", "tune"):
            counts = trainings.setdefault(job.wildcards.model, {"all": 0, "done": 0})
            counts["all"] += 1
            counts["done"] += not workflow.dag.needrun(job)
    for model, counts in trainings.items():
        looks = (look for cell, look in PLAN.looks.items() if cell.model == model)
        known = [look.wall_seconds for look in looks if look.wall_seconds]
        counts["seconds"] = sum(known) / len(known) if known else None
    logger.info(None, extra={"trainings": trainings})


def tell_finding():
    """Say at the end of a run of the whole study what it has found, and where to read on."""
    if not any(job.rule.name == "all" for job in workflow.dag.jobs):
        return
    for line in Path(RESULTS, ANSWER).read_text("utf-8", "replace").splitlines():
        logger.info(line)
    logger.info(f"Read on: {RESULTS}/{PAGE}")


def name_failed_cells():
    """Say at the end of a run, whose messages may be far above, what failed and what to do."""
    from reprocore.pipeline.status import study_status

    for reason in PLAN.failed_preflights():
        logger.error(f"failed: {reason}")
    for status in study_status(Plan.of(STUDY)):
        if status.state == "failed":
            logger.error(
                visible(f"failed: {status.cell.key}: {status.reason}", kept="")
            )
    logger.info(
        f"What has finished stays. To try the rest again: `{study_command()}`; to see how far the "
        f"study is: `{reprocore_command('status')}`"
    )


@inspected
def forced_if_damaged(_wildcards):
    """No file; but results that are damaged, rest on nobody knows what, or changed are forced.

    Snakemake looks at the age of a file and not at the file. What is not asked for stays as it is.
    """
    if workflow.is_main_process:
        problems = (*PLAN.damaged, *PLAN.unfounded)
        workflow.dag.forcefiles.update(f"{RESULTS}/{p.path}" for p in problems)
        workflow.dag.forcefiles.update(unseen_changes())
    return []


@cache
def unseen_changes():
    """Tables and figures of other settings or code than today's, where only their records say so.

    To be asked for when the rules are known, which have today's code.
    """
    sources = {rule.name: rule.params.get("source") for rule in workflow.rules}
    known = {name: text for name, text in sources.items() if isinstance(text, str)}
    made = ORIGINS.made_otherwise(known).items()
    files = {f"{RESULTS}/{place}": today for place, today in made}
    unseen = [path for path, today in files.items() if goes_unseen(path, today)]
    if unseen:
        logger.warning(
            f"Made with other settings or code than today's: {counted(len(unseen), 'file')}, made "
            f"again where asked for: {shown(unseen)}"
        )
    return unseen


def goes_unseen(path, today):
    """Whether Snakemake does not see by itself that the parameters of a file changed.

    It compares them with its own metadata, which can be gone, or of files that were put in the
    place of others since; where it sees the change, it names it.
    """
    # Which takes no plain text.
    known = workflow.persistence.params(IOFile(path, rule=workflow.get_rule("all")))
    return not known or set(known) == set(map(repr, today))


def shown(paths, limit=5):
    """Some paths in a line."""
    more = f", and {len(paths) - limit} more" if len(paths) > limit else ""
    return ", ".join(paths[:limit]) + more


def announce():
    """Say what a user would not expect: what is left out, and what is made again."""
    if PLAN.unchosen:
        pairs = sorted("/".join(pair) for pair in PLAN.unchosen)
        logger.warning(
            f"Learning rates to be chosen first: {shown(pairs)}. What this run trains beside "
            "missing cells depends on them."
        )
    for model in STUDY.models:
        if model not in PLAN.models and not STUDY.partial:
            logger.warning(
                f"{model} needs a GPU and none is here: left out, and shown as not run. "
                "Where jobs are sent to GPUs elsewhere, say --config gpu=available."
            )
    if stale := list(PLAN.stale()):
        names = {name for cell in stale for name in PLAN.changed(cell)}
        logger.warning(
            f"Not as the study says today: {counted(len(stale), 'finished cell')}, trained again "
            f"where asked for; changed: {visible(', '.join(sorted(names)), kept='')}"
        )
    if damaged := [f"{RESULTS}/{p.path}: {p.reason}" for p in PLAN.damaged]:
        logger.warning(
            f"Damaged: {counted(len(damaged), 'file')}, made again where asked for: {shown(damaged)}"
        )
    if lost := list(PLAN.left_out()):
        logger.warning(
            f"Left out, and shown as missing: {counted(len(lost), 'cell')}, damaged or not as the "
            f"study says today; `{reprocore_command('status')}` names them."
        )
    if archived := [model for model in PLAN.archived if model in PLAN.models]:
        logger.warning(
            "Tables taken as they are, since predictions behind them are not here: "
            f"{', '.join(archived)}"
        )
    if again := [f"{RESULTS}/{problem.path}" for problem in PLAN.unfounded]:
        logger.warning(
            f"No record says what these rest on, made again where asked for: {shown(again)}"
        )
    unrecorded = only(PLAN.file_problems.values(), State.UNRECORDED)
    if kept := [f"{RESULTS}/{p.path}" for p in unrecorded if p not in PLAN.unfounded]:
        logger.warning(
            f"Taken as they are, though no record says what made them: {shown(kept)}; "
            f"`{reprocore_command('verify')}` names the command that makes them again."
        )


if workflow.is_main_process:
    or_exit(check_links, RESULTS)
    announce()
    # Each job with a GPU has one of its own; `--resources gpu=N` says otherwise.
    if local_gpus(STUDY) and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", local_gpus(STUDY))
