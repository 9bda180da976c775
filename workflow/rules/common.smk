"""The study, resolved: its cells, their files, and what each rule depends on beside its inputs.

Reading this changes nothing on disk.
"""

import os
from collections import Counter
from functools import cache
from pathlib import Path

from reprocore.errors import ReprocoreError, visible
from reprocore.pipeline.plan import Plan
from reprocore.pipeline.runs import WorkflowRun, snakemake_command
from reprocore.store.identity import (
    CELL_SETTINGS,
    RULE_SETTINGS,
    cell_identity,
    cell_settings,
    parameters,
    preflight_identity,
    rule_settings,
)
from reprocore.store.source_digest import (
    CELL_LAYERS,
    TABLE_LAYERS,
    digest,
    source_digest,
    text_digest,
)
from reprocore.study.cells import CELL_FILES, Cell
from reprocore.study.gpus import local_gpus
from reprocore.study.layout import MODEL_FIGURES, STUDY_FIGURES, preflight_file
from reprocore.study.permissions import check_links, check_places
from reprocore.study.reading import read_yaml
from reprocore.study.study import parse_study


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
    return Plan.of(study)


# Jobs are started as `python -m snakemake`, which would import what lies in the working folder.
os.environ["PYTHONSAFEPATH"] = "1"
PLAN = or_exit(resolve_study)
STUDY = PLAN.study
RESULTS = STUDY.results
SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
CELL = f"{RESULTS}/cells/{{model}}/{{activation}}/{{arm}}-{{seed}}"


wildcard_constraints:
    model="[a-z][a-z0-9_]*",
    activation="[a-z][a-z0-9_]*",
    arm="all|init|order|dropout|none",
    seed="[0-9]+",


def cell_file(cell, name):
    return str(cell.folder(RESULTS) / name)


def cell_files(cells, name):
    return [cell_file(cell, name) for cell in cells]


def model_cells(model):
    return [cell for cell in PLAN.taken if cell.model == model]


def model_pairs(model):
    """Pairs files of a model: one for each group with at least two seeds."""
    return [
        f"{RESULTS}/pairs/{'/'.join(group)}.parquet"
        for group, cells in PLAN.groups.items()
        if group[0] == model and len(cells) > 1
    ]


def all_pairs():
    return [path for model in PLAN.models for path in model_pairs(model)]


def model_tables(name):
    return expand(f"{RESULTS}/models/{{model}}/{name}.parquet", model=PLAN.models)


def source(script, module, layers=TABLE_LAYERS):
    """Digest of a script and of the module that it runs, with what that imports."""
    code = [text_digest(SCRIPTS / script), source_digest(module, layers=layers)]
    return f"source {digest(code)}"


def settings(rule):
    """Parameters of a rule: by name, each setting that matters to it."""

    def parameter(name):
        def of_wildcards(wildcards):
            labels = wildcards.get("model"), wildcards.get("activation")
            return parameters(rule_settings(STUDY, rule, *labels))[name]

        return of_wildcards

    return {name: parameter(name) for name in RULE_SETTINGS[rule]}


def name_failed_cells():
    """Say at the end of a run, whose messages may be far above, what failed and why."""
    from reprocore.pipeline.status import study_status

    for reason in PLAN.failed_preflights():
        logger.error(f"failed: {reason}")
    for status in study_status(STUDY):
        if status.state == "failed":
            logger.error(
                visible(f"failed: {status.cell.key}: {status.reason}", kept="")
            )


def announce():
    """Say what a user would not expect: models left out, and cells that are trained again."""
    for model in STUDY.models:
        if model not in PLAN.models and not STUDY.partial:
            logger.warning(
                f"{model} needs a GPU and none is here: left out, and shown as not run. "
                "Where jobs are sent to GPUs elsewhere, say --config gpu=available."
            )
    stale = [changed for cell in PLAN.taken if (changed := PLAN.stale(cell))]
    if stale:
        names = Counter(name for changed in stale for name in changed)
        logger.warning(
            f"{len(stale)} finished cells are not as the study says today and are trained again "
            f"where they are asked for; changed: {visible(', '.join(sorted(names)), kept='')}"
        )


def study_command():
    """The command that runs this study, and so can make any part of it again."""
    values = workflow.config_settings.config.items()
    overrides = {key: value for key, value in values if key != "partial"}
    return snakemake_command(workflow.configfiles, overrides)


RUN = WorkflowRun(STUDY, study_command())
if workflow.is_main_process:
    or_exit(check_links, RESULTS)
    announce()
    # Each job with a GPU has one of its own; `--resources gpu=N` says otherwise.
    if local_gpus(STUDY) and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", local_gpus(STUDY))
