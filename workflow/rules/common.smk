"""The study, resolved: which cells there are, which are taken, and what results depend on."""

from pathlib import Path

from reprocore.config import parse_study
from reprocore.errors import ReprocoreError
from reprocore.figures import MODEL_FIGURES
from reprocore.identity import (
    cell_identity,
    current_cells,
    digest,
    source_digest,
    text_digest,
)
from reprocore.study import (
    CELL_FILES,
    Cell,
    all_cells,
    cells_of,
    runnable_models,
)


def resolve_study():
    try:
        return parse_study(config, ", ".join(map(str, workflow.configfiles)))
    except ReprocoreError as error:
        # Not a WorkflowError: a user's mistake is one line, without a trace of this file.
        raise SystemExit(f"error: {error}") from None


STUDY = resolve_study()
RESULTS = STUDY.results
RUNNABLE = [] if STUDY.partial else runnable_models(STUDY)
SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
CELL = f"{RESULTS}/cells/{{model}}/{{activation}}/{{arm}}-{{seed}}"


wildcard_constraints:
    model="[a-z][a-z0-9_]*",
    activation="[a-z][a-z0-9_]*",
    arm="all|init|order|dropout|none",
    seed="[0-9]+",


def taken_cells():
    """Cells that results are made of: all that can be trained here, and others if done."""
    done = current_cells(
        STUDY, [c for c in all_cells(STUDY) if c.model not in RUNNABLE]
    )
    return [cell for cell in all_cells(STUDY) if cell.model in RUNNABLE or cell in done]


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


def settings(content):
    """Digest of the resolved settings that matter to a rule."""
    return "settings " + digest(content)


def notice_left_out():
    for model in STUDY.models:
        if model not in MODELS and not STUDY.partial:
            logger.warning(
                f"{model} needs a GPU and none is here: left out, and shown as not run. "
                "Where jobs are sent to GPUs elsewhere, say --config gpu=available."
            )


if workflow.is_main_process:
    notice_left_out()
