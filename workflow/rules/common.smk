"""The study, resolved: which cells there are, which are taken, and what results depend on."""

import os
from pathlib import Path

from reprocore.study.study import parse_study
from reprocore.errors import ReprocoreError
from reprocore.study.layout import MODEL_FIGURES
from reprocore.store.identity import cell_identity, current_cells, stage_digest
from reprocore.store.source_digest import digest, source_digest, text_digest
from reprocore.study.cells import CELL_FILES, Cell, all_cells
from reprocore.study.gpus import local_gpus, runnable_models
from reprocore.study.permissions import check_places
from reprocore.study.permissions import check_links
from reprocore.pipeline.runs import WorkflowRun, snakemake_command


def told(action, *arguments):
    """Do something whose failure is a user's to mend: one line, without a trace of this file."""
    try:
        return action(*arguments)
    except ReprocoreError as error:
        # Not a WorkflowError, which would tell of this file.
        raise SystemExit(f"error: {error}") from None


def resolve_study():
    study = parse_study(config, ", ".join(map(str, workflow.configfiles)))
    check_places(study)
    return study, {cell: cell_identity(study, cell) for cell in all_cells(study)}


# Jobs are started as `python -m snakemake`, which would import what lies in the working folder.
os.environ["PYTHONSAFEPATH"] = "1"
STUDY, IDENTITIES = told(resolve_study)
RESULTS = STUDY.results
RUNNABLE = [] if STUDY.partial else runnable_models(STUDY)
SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
# One second after the epoch: Snakemake takes 0 for no date.
STALE_DATE = 1
CELL = f"{RESULTS}/cells/{{model}}/{{activation}}/{{arm}}-{{seed}}"


wildcard_constraints:
    model="[a-z][a-z0-9_]*",
    activation="[a-z][a-z0-9_]*",
    arm="all|init|order|dropout|none",
    seed="[0-9]+",


def taken_cells():
    """Cells that results are made of: all that can be trained here, and others if done."""
    done = current_cells(STUDY, [c for c in IDENTITIES if c.model not in RUNNABLE])
    return [cell for cell in IDENTITIES if cell.model in RUNNABLE or cell in done]


TAKEN = taken_cells()
GROUPS = {}
for taken in TAKEN:
    GROUPS.setdefault((taken.model, taken.activation, taken.arm), []).append(taken)
MODELS = list(dict.fromkeys(cell.model for cell in TAKEN))


def cell_file(cell, name):
    return str(cell.folder(RESULTS) / name)


def cell_files(cells, name):
    return [cell_file(cell, name) for cell in cells]


def group_cells(wildcards):
    return GROUPS[wildcards.model, wildcards.activation, wildcards.arm]


def model_cells(wildcards):
    return [cell for cell in TAKEN if cell.model == wildcards.model]


def model_pairs(model):
    """Pairs files of a model: one for each group with at least two seeds."""
    return [
        f"{RESULTS}/pairs/{'/'.join(group)}.parquet"
        for group, cells in GROUPS.items()
        if group[0] == model and len(cells) > 1
    ]


def source(script, *modules):
    """Digest of a script and of the modules that it runs."""
    return "source " + digest([text_digest(SCRIPTS / script), source_digest(*modules)])


def settings(rule):
    """Digest of the settings that matter to a rule, as its parameter."""

    def of_wildcards(wildcards):
        return stage_digest(STUDY, rule, wildcards.get("model"))

    return of_wildcards


def notice_left_out():
    for model in STUDY.models:
        if model not in MODELS and not STUDY.partial:
            logger.warning(
                f"{model} needs a GPU and none is here: left out, and shown as not run. "
                "Where jobs are sent to GPUs elsewhere, say --config gpu=available."
            )


def name_failed_cells():
    """Say at the end of a run, whose messages may be far above, which cells failed and why."""
    from reprocore.pipeline.status import study_status

    for status in study_status(STUDY):
        if status.state == "failed":
            logger.error(f"failed: {status.cell.key}: {status.reason}")


def date_stale_cells():
    """Give cells that were made otherwise than the config says today a date before all inputs.

    Snakemake knows of other settings as long as `.snakemake` is there; `cell.json` knows always.
    """
    current = current_cells(STUDY, TAKEN)
    for cell in TAKEN:
        path = Path(cell_file(cell, "cell.json"))
        if cell not in current and path.is_file():
            os.utime(path, (STALE_DATE, STALE_DATE))
        elif cell in current and path.stat().st_mtime == STALE_DATE:
            os.utime(path)


def study_command():
    """The command that runs this study, and so can make any part of it again."""
    values = workflow.config_settings.config.items()
    overrides = {key: value for key, value in values if key != "partial"}
    return snakemake_command(workflow.configfiles, overrides)


RUN = WorkflowRun(STUDY, study_command())
if workflow.is_main_process:
    told(check_links, RESULTS)
    notice_left_out()
    # Each job with a GPU has one of its own; `--resources gpu=N` says otherwise.
    if local_gpus(STUDY) and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", local_gpus(STUDY))
    if not STUDY.partial:
        date_stale_cells()
