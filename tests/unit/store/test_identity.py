"""What makes a cell another cell: each of its settings, and nothing else."""

import hashlib
import os
from typing import Any

import pytest

from conftest import config_with, one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.store.identity import cell_identity, cell_settings, parameters, rule_settings
from reprocore.store.source_digest import digest
from reprocore.study.cells import Cell, all_cells
from reprocore.study.study import parse_study

CELL = Cell("charlm", "smelu_1", "all", 1)


def settings_digest(content: dict[str, Any], cell: Cell = CELL) -> str:
    return digest(cell_settings(parse_study(content), cell))


USUAL = settings_digest(tiny_config())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.charlm", {"family": "conv", "context": 16}),
        ("models.charlm.context", 8),
        ("models.charlm.sizes.layers", 3),
        ("models.charlm.sizes.heads", 4),
        ("models.charlm.sizes.width", 32),
        ("models.charlm.sizes.hidden", 65),
        ("models.charlm.sizes.dropout", 0.21),
        ("models.charlm.sizes.bias", False),
        ("models.charlm.sizes.init_std", 0.03),
        ("models.charlm.training", {"iterations": 9}),
        ("models.charlm.resources", {"gpu": 1}),
        ("training.iterations", 9),
        ("training.batch_size", 5),
        ("training.learning_rate", 4e-3),
        ("training.schedule", "cosine"),
        ("training.warmup", 1),
        ("training.final_rate", 0.2),
        ("training.weight_decay", 0.02),
        ("training.beta1", 0.8),
        ("training.beta2", 0.99),
        ("training.clip_norm", 1.0),
        ("training.evaluate_every", 3),
        ("training.evaluation_positions", 80),
        ("training.snapshots", [0.5, 1]),
        ("training.threads", 2),
        ("training.precision", "bfloat16"),
        ("probe.positions", 128),
        ("probe.block", 8),
        ("probe.lead", 33),
    ],
)
def test_each_setting_of_a_cell_changes_its_digest(path, value):
    assert settings_digest(config_with(path, value)) != USUAL


@pytest.mark.parametrize(
    "cell",
    [
        Cell("nanotransformer", "smelu_1", "all", 1),
        Cell("charlm", "smelu_05", "all", 1),
        Cell("charlm", "smelu_1", "init", 1),
        Cell("charlm", "smelu_1", "all", 2),
    ],
)
def test_another_cell_has_another_digest(cell):
    assert settings_digest(tiny_config(), cell) != USUAL


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "another"),
        ("results", "elsewhere"),
        ("seeds", [1, 2, 3, 4]),
        ("seeds", [7, 1]),
        ("arms", ["all", "none"]),
        ("activations", ["smelu_1", "relu"]),
        ("models.charlm.activations", ["smelu_1"]),
        ("models.charlm.arms", ["all"]),
        ("models.charlm.resources", {"gpu": 1, "device": "cpu"}),
        ("models.charlm.resources", {"mem_mb": 4000, "minutes": 5, "checkpoint_seconds": 1}),
        ("models.tinylstm.sizes.width", 32),
        ("models.tinylstm.training", {"iterations": 9}),
        ("models.another", {"family": "lstm", "context": 16}),
        ("custom_activations", {"mine": {"path": "a:b"}}),
        ("figures", {"dpi": 300, "measure": "churn", "colours": {"relu": "#ff0000"}}),
        ("statistics", {"confidence": 0.9}),
        ("gpu", "none"),
        ("partial", True),
        ("training.learning_rate", "3.0e-3"),
    ],
)
def test_what_does_not_concern_a_cell_leaves_its_digest(path, value):
    assert settings_digest(config_with(path, value)) == USUAL


def test_leaving_a_default_out_and_writing_it_is_the_same_cell():
    plain, explicit = tiny_config(), tiny_config()
    explicit["training"] |= {"schedule": "constant", "warmup": 0, "clip_norm": None}
    explicit["models"]["charlm"]["sizes"] |= {"bias": True, "hidden": None}
    assert settings_digest(explicit) == settings_digest(plain)


def test_training_of_the_study_or_of_the_model_alone_is_the_same_cell():
    assert settings_digest(
        config_with("models.charlm.training", {"iterations": 9})
    ) == settings_digest(config_with("training.iterations", 9))


def test_swapped_values_are_another_cell():
    one, other = tiny_config(), tiny_config()
    one["training"] |= {"evaluate_every": 4, "threads": 3}
    other["training"] |= {"evaluate_every": 3, "threads": 4}
    assert settings_digest(one) != settings_digest(other)
    one["models"]["charlm"]["sizes"] |= {"layers": 2, "heads": 4}
    other["models"]["charlm"]["sizes"] |= {"layers": 4, "heads": 2}
    other["training"] = one["training"]
    assert settings_digest(one) != settings_digest(other)


def test_order_of_dilations_counts_and_order_of_keys_does_not():
    cell = Cell("convlm", "relu", "all", 1)
    reversed_dilations = config_with("models.convlm.sizes.dilations", [4, 2, 1])
    assert settings_digest(reversed_dilations, cell) != settings_digest(tiny_config(), cell)
    sizes = dict(reversed(tiny_config()["models"]["charlm"]["sizes"].items()))
    assert settings_digest(config_with("models.charlm.sizes", sizes)) == USUAL


def test_path_and_gate_of_a_custom_activation_change_its_cells_only():
    def digests(custom: dict[str, Any]) -> tuple[str, str]:
        content = tiny_config(custom_activations={"mine": custom}, activations=["relu", "mine"])
        cells = (Cell("charlm", name, "all", 1) for name in ("mine", "relu"))
        mine, relu = (settings_digest(content, cell) for cell in cells)
        return mine, relu

    one = digests({"path": "a:f"})
    other_path = digests({"path": "a:g"})
    gated = digests({"path": "a:f", "gated": True})
    assert len({one[0], other_path[0], gated[0]}) == 3
    assert one[1] == other_path[1] == gated[1]


def test_another_text_or_split_is_another_cell(tmp_path) -> None:
    path = tmp_path / "text.txt"

    def settings(text: str, **corpus) -> dict:
        path.write_text(text)
        os.utime(path, (1, len(text)))
        study = parse_study(tiny_config(corpus={"source": "file", "path": str(path), **corpus}))
        return cell_settings(study, all_cells(study)[0])

    first = settings("one text")
    assert settings("one other") != first
    assert settings("one text", train_fraction=0.8) != first
    sha256 = hashlib.sha256(b"one text").hexdigest()
    assert settings("one text", sha256=sha256) == first


def test_a_name_that_a_module_lacks_is_told_before_anything_runs(user_module) -> None:
    user_module("mine_act", "def act(x):\n    return x\n")
    custom = {"mine": {"path": "mine_act:atc"}}
    study = parse_study(tiny_config(activations=["mine"], custom_activations=custom))
    with pytest.raises(ReprocoreError) as error:
        cell_identity(study, all_cells(study)[0])
    assert "module 'mine_act' has no 'atc'" in one_line(error)


@pytest.mark.parametrize("rule", ["analyse", "draw_model", "summarise", "page", "audit"])
def test_the_reference_matters_to_what_is_compared(rule):
    """Without one in the config, it follows from the order of the study's activations."""
    settings = []
    for names in (["relu", "gelu"], ["gelu", "relu"]):
        content = tiny_config(activations=names)
        for model in content["models"].values():
            model["activations"] = ["gelu", "relu", "swish"]
        settings.append(parameters(rule_settings(parse_study(content), rule, "charlm")))
    assert settings[0] != settings[1]
