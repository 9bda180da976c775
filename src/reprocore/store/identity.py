"""What a result depends on, as digests: resolved settings, and source code without its comments.

A cell is run again when, and only when, one of its digests or input files changes.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.choices import chosen_rate
from reprocore.store.records import DamagedError, read_sealed
from reprocore.store.source_digest import (
    CELL_LAYERS,
    canonical_json,
    check_defined,
    digest,
    source_digest,
)
from reprocore.study.base import Section
from reprocore.study.cells import Cell, all_cells
from reprocore.study.study import Study
from reprocore.vocabulary import CORPUS_SHA256, FAMILY_BUILDERS, activation_path, smelu_beta


def corpus_settings(study: Study) -> dict[str, Any]:
    """Return what the token ids of a study depend on: the text's SHA-256 and the split.

    Raises:
        ReprocoreError: a local file cannot be read.
    """
    corpus = study.corpus
    if corpus.source == "file":
        path = Path(str(corpus.path))
        try:
            sha256 = _file_sha256(path, path.stat().st_mtime_ns)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ReprocoreError(f"corpus.path: {path} cannot be read: {reason}") from None
    else:
        sha256 = corpus.sha256 or CORPUS_SHA256
    return {"sha256": sha256, "train_fraction": corpus.train_fraction}


# The names in `model_settings`.
MODEL_SETTINGS = ("builder", "context", "sizes", "training", "activation")
# The names in `cell_settings`.
CELL_SETTINGS = (*MODEL_SETTINGS, "arm", "seed", "probe", "corpus", "device")
# The settings that matter to a rule beside its inputs; those of `train` are `cell_settings`.
RULE_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "corpus": ("corpus",),
    "probe": ("probe",),
    "preflight": MODEL_SETTINGS,
    "choose_rate": ("tuning",),
    "tabulate_tuning": ("tuning", "cells"),
    "draw_tuning": ("cells", "title", "figures"),
    "compare": ("block",),
    "estimate": ("confidence",),
    "analyse": ("statistics", "activations", "arms", "reference"),
    "positions": ("confidence", "activations", "arms"),
    "across": ("statistics", "cells", "reference", "scale"),
    "summarise": ("statistics", "cells", "reference", "title", "measure"),
    "audit": ("statistics", "cells", "reference", "title", "timed"),
    "page": ("statistics", "cells", "reference", "title", "measure", "colours"),
    "draw_model": ("statistics", "cells", "reference", "title", "figures"),
    "draw_study": ("statistics", "cells", "reference", "title", "figures", "scale"),
}


def rule_settings(
    study: Study, rule: str, model: str | None = None, activation: str | None = None
) -> dict[str, Any]:
    """Return the settings that matter to a rule beside its inputs, by name.

    Args:
        study: the resolved study.
        rule: one of `RULE_SETTINGS`; any other has none.
        model: of which the rule makes something, if it is of one model.
        activation: likewise.

    Raises:
        ReprocoreError: a local text cannot be read.
    """
    if rule == "preflight":
        return model_settings(study, str(model), str(activation))
    return {name: _setting(study, name, model) for name in RULE_SETTINGS.get(rule, ())}


def _setting(study: Study, name: str, model: str | None) -> Any:
    match name:
        case "corpus":
            return corpus_settings(study)
        case "confidence":
            return study.statistics.confidence
        case "block":
            return study.probe.block
        case "measure":
            return study.drawn_measure
        case "colours":
            return study.figures.colours
        case "activations":
            return study.activations_of(model) if model in study.models else None
        case "arms":
            return study.arms_of(model) if model in study.models else None
        case "reference":
            # Without one in the config it follows from the order of the study's activations.
            names = [model] if model in study.models else [*study.models]
            return {"": study.reference_of(), **{name: study.reference_of(name) for name in names}}
        case "cells":
            # What the rows of a table are: every combination of the config, run or not.
            return digest([cell.key for cell in all_cells(study)])
    section = getattr(study, name)
    return section.model_dump() if isinstance(section, Section) else section


def parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as a rule carries them: `<name> <canonical JSON>`, by name.

    Snakemake compares the values of parameters without their names.
    """
    return {name: f"{name} {canonical_json(value)}" for name, value in settings.items()}


@cache
def _file_sha256(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_settings(study: Study, model: str, activation: str) -> dict[str, Any]:
    """Return every setting of a model with an activation and of its training, as JSON values."""
    chosen, custom = study.models[model], study.custom_activations.get(activation)
    return {
        "builder": FAMILY_BUILDERS.get(chosen.family, chosen.family),
        "context": chosen.context,
        "sizes": json.loads(json.dumps(chosen.sizes)),
        "training": study.training_of(model).model_dump(mode="json"),
        "activation": {
            "name": activation,
            "gated": study.is_gated(activation),
            "beta": smelu_beta(activation) if custom is None else None,
            "path": custom.path if custom else activation_path(activation),
        },
    }


def cell_training(study: Study, cell: Cell) -> dict[str, Any]:
    """Return the training settings of `cell`; the learning rate is None until one is chosen."""
    settings = study.training_of(cell.model).model_dump(mode="json")
    if study.tuning is None:
        return settings
    if cell.rate is None:
        return settings | {"learning_rate": chosen_rate(study, cell.model, cell.activation)}
    iterations = study.tuning.iterations or settings["iterations"]
    return settings | {"learning_rate": cell.rate, "iterations": iterations}


def cell_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """Return every setting that changes the results of `cell`, as plain JSON values."""
    return {
        **model_settings(study, cell.model, cell.activation),
        "training": cell_training(study, cell),
        "arm": cell.arm,
        "seed": cell.seed,
        "probe": study.probe.model_dump(),
        "corpus": corpus_settings(study),
        "device": study.models[cell.model].resources.trained_on,
    }


def model_sources(study: Study, model: str, activation: str) -> tuple[str, ...]:
    """Return the modules of a model's family and of an activation of the user's own.

    Raises:
        ReprocoreError: a user's own module cannot be found, or lacks the name that is asked of it.
    """
    family = study.models[model].family
    paths = [FAMILY_BUILDERS.get(family, family)]
    if activation in study.custom_activations:
        paths.append(study.custom_activations[activation].path)
    for path in paths:
        check_defined(path)
    return tuple(path.partition(":")[0] for path in paths)


def cell_identity(study: Study, cell: Cell) -> dict[str, str]:
    """Return the digests of settings and of source that name the results of `cell`."""
    modules = ("reprocore.training.cell", *model_sources(study, cell.model, cell.activation))
    return {
        "settings": digest(cell_settings(study, cell)),
        "source": source_digest(*modules, layers=CELL_LAYERS),
    }


def preflight_identity(study: Study, model: str, activation: str) -> dict[str, str]:
    """Return the digests of settings and of source that a preflight depends on."""
    modules = ("reprocore.training.preflight", *model_sources(study, model, activation))
    return {
        "settings": digest(model_settings(study, model, activation)),
        "source": source_digest(*modules, layers=CELL_LAYERS),
    }


def recorded_identity(path: Path) -> dict[str, str]:
    """Return the identity that a `cell.json` records, empty if it has none or is damaged."""
    try:
        identity = read_sealed(path).get("identity")
    except DamagedError:
        return {}
    return identity if isinstance(identity, dict) else {}


def changed_settings(described: Mapping[str, Any], study: Study, cell: Cell) -> list[str]:
    """Return what differs between the content of a `cell.json` and the study as it is today.

    Returns:
        Names of settings, and `source` for the code; empty for a cell that is up to date.
    """
    identity, today = described.get("identity", {}), cell_settings(study, cell)
    source = cell_identity(study, cell)["source"]
    recorded = described.get("settings", {})
    changed = sorted(
        name
        for name in {*today, *recorded}
        if canonical_json(recorded.get(name)) != canonical_json(today.get(name))
    )
    return [*changed, *(["source"] if identity.get("source") != source else [])]
