"""Keys and values that a configuration cannot have: one line with what is allowed."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import config_with, one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.study.sections import TrainingSettings
from reprocore.study.sizes import GptSizes
from reprocore.study.study import load_study, parse_study


@pytest.fixture
def refused(tmp_path):
    """Return a function that loads a configuration that must fail, and gives its message."""

    def load(content: Any) -> str:
        path = tmp_path / "study.yaml"
        written = content if isinstance(content, str) else yaml.safe_dump(content)
        path.write_text(written, "utf-8")
        with pytest.raises(ReprocoreError) as error:
            load_study(path)
        text = one_line(error)
        assert text.startswith(f"{path}: ")
        return text.removeprefix(f"{path}: ")

    return load


UNKNOWN_KEYS = [
    ("seed", [1, 2], "unknown key 'seed'; did you mean 'seeds'?"),
    ("training.iteration", 5, "training: unknown key 'iteration'; did you mean 'iterations'?"),
    ("training.lr", 5, "training: unknown key 'lr'; "),
    ("probe.blocks", 5, "probe: unknown key 'blocks'; did you mean 'block'?"),
    ("corpus.sha", "x", "corpus: unknown key 'sha'; "),
    ("figures.color", {}, "figures: unknown key 'color'; did you mean 'colours'?"),
    ("statistics.confidense", 0.9, "did you mean 'confidence'?"),
    ("models.charlm.famly", "gpt", "models.charlm: unknown key 'famly'; did you mean 'family'?"),
    ("models.charlm.sizes.widht", 8, "unknown key 'widht'; did you mean 'width'?"),
    ("models.convlm.sizes.heads", 2, "unknown key 'heads'; "),
    ("models.charlm.training.iteratoins", 8, "unknown key 'iteratoins'; did you mean 'iterations'"),
    ("models.charlm.resources.gpus", 1, "unknown key 'gpus'; did you mean 'gpu'?"),
    ("custom_activations.mine.pth", "a:b", "unknown key 'pth'; did you mean 'path'?"),
]


@pytest.mark.parametrize(("path", "value", "words"), UNKNOWN_KEYS)
def test_unknown_key_names_the_nearest_and_all_allowed(refused, path, value, words):
    text = refused(config_with(path, value))
    assert words in text
    assert "allowed: " in text
    place = path.split(".")[:-1]
    assert all(key in text for key in place)


WRONG_VALUES = [
    # path, value, key as shown, what is words of the value and of what is allowed
    ("activations", ["relu", "rellu"], "activations", "'rellu'", "did you mean 'relu'?"),
    ("activations", ["relu", "smelu05"], "activations", "'smelu05'", "did you mean 'smelu_05'?"),
    ("activations", ["relu", "swigl"], "activations", "'swigl'", "allowed: relu, gelu"),
    (
        "activations",
        ["relu", "ReLU"],
        "activations.1",
        "'ReLU'",
        "must be a name: a lower-case letter",
    ),
    ("activations", ["relu", "../../etc"], "activations.1", "'../../etc'", "must be a name"),
    ("activations", ["relu", "smelu_0"], "activations", "'smelu_0'", "above 0"),
    ("activations", ["relu", "relu"], "activations", "'relu'", "listed twice"),
    ("activations", [], "activations", "[]", "at least 1"),
    ("activations", "relu", "activations", "'relu'", "must be a list, such as [relu]"),
    ("models.charlm.activations", ["glu"], "models.charlm.activations", "'glu'", "did you mean"),
    ("models.charlm.family", "gtp", "models.charlm.family", "'gtp'", "did you mean 'gpt'?"),
    ("models.charlm.family", "a.b", "models.charlm.family", "'a.b'", "'module:builder'"),
    ("models.charlm.family", ..., "models.charlm.family", "", "required"),
    ("figures.measure", "chrun", "figures.measure", "'chrun'", "did you mean 'churn'?"),
    (
        "figures.colours",
        {"relu": "red"},
        "figures.colours.relu",
        "'red'",
        "such as '#1f77b4'",
    ),
    ("figures.dpi", 10, "figures.dpi", "10", "at least 50"),
    ("seeds", [1], "seeds", "[1]", "at least 2"),
    ("seeds", [], "seeds", "[]", "at least 2"),
    ("seeds", [3, 1, 3], "seeds", "3", "listed twice"),
    ("seeds", [1, -2], "seeds.1", "-2", "at least 0"),
    ("seeds", [1, 2**32], "seeds.1", "4294967296", "at most 4294967295"),
    ("seeds", [1, 2.5], "seeds.1", "2.5", "a whole number"),
    ("seeds", [1, True], "seeds.1", "true", "a whole number"),
    ("seeds", [1, "two"], "seeds.1", "'two'", "a whole number"),
    ("seeds", 5, "seeds", "5", "must be a list"),
    ("arms", ["both"], "arms.0", "'both'", "allowed: all, init, order, dropout, none"),
    ("arms", ["all", "all"], "arms", "'all'", "listed twice"),
    ("models.charlm.arms", ["none", "none"], "models.charlm.arms", "'none'", "listed twice"),
    ("arms", [], "arms", "[]", "at least 1"),
    ("training.iterations", 0, "training.iterations", "0", "at least 1"),
    ("training.iterations", -5, "training.iterations", "-5", "at least 1"),
    ("training.iterations", "many", "training.iterations", "'many'", "a whole number"),
    ("training.iterations", True, "training.iterations", "true", "a whole number"),
    ("training.iterations", 2.5, "training.iterations", "2.5", "a whole number"),
    ("training.iterations", math.inf, "training.iterations", "inf", "finite"),
    ("training.batch_size", 0, "training.batch_size", "0", "at least 1"),
    ("training.learning_rate", 0, "training.learning_rate", "0", "more than 0"),
    ("training.learning_rate", False, "training.learning_rate", "false", "must be a number"),
    ("training.learning_rate", -1e-3, "training.learning_rate", "-0.001", "more than 0"),
    ("training.learning_rate", math.nan, "training.learning_rate", "nan", "finite"),
    ("training.learning_rate", math.inf, "training.learning_rate", "inf", "finite"),
    ("training.learning_rate", "nan", "training.learning_rate", "'nan'", "finite"),
    ("training.weight_decay", -math.inf, "training.weight_decay", "-inf", "finite"),
    ("training.beta1", 1.0, "training.beta1", "1.0", "less than 1"),
    ("training.clip_norm", 0, "training.clip_norm", "0", "more than 0"),
    (
        "training.schedule",
        "cosin",
        "training.schedule",
        "'cosin'",
        "allowed: constant, cosine",
    ),
    ("training.evaluate_every", 0, "training.evaluate_every", "0", "at least 1"),
    ("training.snapshots", 7, "training.snapshots", "7", "must be a list"),
    ("training.snapshots", [], "training.snapshots", "[]", "at least 1"),
    ("training.snapshots", [0, 1], "training.snapshots.0", "0", "more than 0"),
    ("training.snapshots", [0.5, 1.5], "training.snapshots.1", "1.5", "at most 1"),
    ("training.snapshots", [0.25, 0.5], "training.snapshots", "[0.25, 0.5]", "end in 1"),
    ("training.snapshots", [0.5, 0.25, 1], "training.snapshots", "[0.5, 0.25, 1.0]", "ascend"),
    ("training.snapshots", [0.5, 0.5, 1], "training.snapshots", "[0.5, 0.5, 1.0]", "doubles"),
    ("training.threads", 0, "training.threads", "0", "at least 1"),
    ("training.warmup", -1, "training.warmup", "-1", "at least 0"),
    ("training", 3, "training", "3", "must be a section"),
    ("models.charlm.training", {"iterations": 0}, "models.charlm.training.iterations", "0", "1"),
    ("models.charlm.training", {"learning_rate": math.nan}, "learning_rate", "nan", "finite"),
    ("models.charlm.sizes.width", 0, "models.charlm.sizes.width", "0", "at least 1"),
    ("models.charlm.sizes.width", -16, "models.charlm.sizes.width", "-16", "at least 1"),
    ("models.charlm.sizes.layers", 0, "models.charlm.sizes.layers", "0", "at least 1"),
    ("scale", ["charlm", "convlm", "minigtp"], "scale", "'minigtp' is no model", "mean 'minigpt'"),
    ("models.charlm.sizes.heads", 3, "models.charlm.sizes", "heads (3)", "divide width (16)"),
    ("models.hybridlm.sizes.heads", 5, "models.hybridlm.sizes", "heads (5)", "width (16)"),
    ("models.charlm.sizes.dropout", 1, "models.charlm.sizes.dropout", "1", "less than 1"),
    ("models.charlm.sizes.dropout", -0.1, "models.charlm.sizes.dropout", "-0.1", "at least 0"),
    ("models.charlm.sizes.init_std", 0, "models.charlm.sizes.init_std", "0", "more than 0"),
    ("models.convlm.sizes.dilations", [], "models.convlm.sizes.dilations", "[]", "at least 1"),
    (
        "models.convlm.sizes.dilations",
        [1, 0],
        "models.convlm.sizes.dilations.1",
        "0",
        "at least 1",
    ),
    ("models.convlm.sizes.kernel", 0, "models.convlm.sizes.kernel", "0", "at least 1"),
    ("models.tinylstm.sizes.hidden", 0, "models.tinylstm.sizes.hidden", "0", "at least 1"),
    ("models.charlm.sizes", 3, "models.charlm.sizes", "3", "must be a section"),
    ("models.charlm.sizes", False, "models.charlm.sizes", "false", "must be a section"),
    ("models.charlm.context", 0, "models.charlm.context", "0", "at least 2"),
    ("models.charlm.context", True, "models.charlm.context", "true", "a whole number"),
    ("models.charlm.context", 12, "models.charlm.context", "12", "probe.block (16) or divide it"),
    ("models.charlm.context", 33, "models.charlm.context", "33", "probe.lead (32); raise that"),
    ("models.charlm.resources", {"gpu": 2}, "models.charlm.resources.gpu", "2", "at most 1"),
    ("models.charlm.resources", {"device": "cuda"}, "charlm.resources", "cuda", "needs gpu: 1"),
    ("models.charlm.resources", {"mem_mb": 1}, "models.charlm.resources.mem_mb", "1", "100"),
    ("probe.positions", 65, "probe", "positions (65)", "multiple of block (16)"),
    ("probe.positions", True, "probe.positions", "true", "a whole number"),
    ("probe.positions", 0, "probe.positions", "0", "at least 16"),
    ("probe.block", 0, "probe.block", "0", "at least 1"),
    ("probe.lead", -1, "probe.lead", "-1", "at least 0"),
    ("models", ..., "models", "", "required"),
    ("models", {}, "models", "", "at least 1"),
    ("models", None, "models", "", "must be a section"),
    ("models", ["charlm"], "models", "['charlm']", "must be a section"),
    ("models.charlm", None, "models.charlm.family", "", "required"),
    ("results", "", "results", "''", "must not be empty"),
    ("results", "o{x}", "results", "'o{x}'", "must not hold { } * or ?"),
    ("results", "o*", "results", "'o*'", "must not hold { } * or ?"),
    ("results", "o?", "results", "'o?'", "must not hold { } * or ?"),
    ("results", None, "results", "null", "must be text"),
    ("title", 5, "title", "5", "must be text"),
    ("gpu", "yes", "gpu", "'yes'", "allowed: auto, available, none"),
    ("partial", "perhaps", "partial", "'perhaps'", "true or false"),
    ("statistics.confidence", 1, "statistics.confidence", "1", "less than 1"),
    ("statistics.margins", {"chrun": 0.1}, "statistics.margins", "'chrun'", "did you mean 'churn'"),
    ("statistics.margins", {"churn": 0}, "statistics.margins.churn", "0", "more than 0"),
    ("statistics.primary", {"measure": "pd"}, "statistics.primary.measure", "'pd'", "allowed:"),
    (
        "statistics.primary",
        {"condition": "late"},
        "statistics.primary.condition",
        "'late'",
        "final",
    ),
    ("custom_activations", {"mine": {}}, "custom_activations.mine.path", "", "required"),
    (
        "custom_activations",
        {"mine": {"path": "nocolon"}},
        "mine.path",
        "'nocolon'",
        "my_module:my_function",
    ),
    *(
        ("custom_activations", {name: {"path": "a:b"}}, name, repr(name), "is built in; choose")
        for name in ("relu", "swiglu", "smelu_05")
    ),
    ("custom_activations", {"Mine": {"path": "a:b"}}, "Mine", "'Mine'", "must be a name"),
    ("corpus", {"source": "web"}, "corpus.source", "'web'", "allowed: tiny_shakespeare, file, url"),
    ("corpus", {"source": "file"}, "corpus", "source: file", "needs the key 'path'"),
    ("corpus", {"source": "url", "url": "https://x"}, "corpus", "url", "needs the key 'sha256'"),
    ("corpus", {"path": "a.txt"}, "corpus", "'path'", "no meaning"),
    ("corpus", {"train_fraction": 1.0}, "corpus.train_fraction", "1.0", "less than 1"),
    (
        "corpus",
        {"source": "file", "path": "a", "sha256": "12"},
        "corpus.sha256",
        "'12'",
        "64 digits",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "key", "shown", "allowed"),
    WRONG_VALUES,
    ids=[f"{case[0]}={case[1] if case[1] is not ... else 'missing'}" for case in WRONG_VALUES],
)
def test_wrong_value_is_one_line_with_key_value_and_what_is_allowed(
    refused, path, value, key, shown, allowed
):
    text = refused(config_with(path, value))
    assert text.startswith(key) or f".{key}: " in text
    assert shown in text
    assert allowed in text


@given(width=st.integers(1, 200), heads=st.integers(1, 50))
def test_heads_must_divide_the_width(width, heads):
    content = {"width": width, "heads": heads}
    if width % heads == 0:
        assert GptSizes.model_validate(content).heads == heads
    else:
        with pytest.raises(ValueError, match="must divide width"):
            GptSizes.model_validate(content)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_learning_rate_is_a_finite_positive_number(value):
    if 0 < value <= 10:
        assert TrainingSettings(learning_rate=value).learning_rate == value
    else:
        with pytest.raises(ValueError, match="learning_rate"):
            TrainingSettings(learning_rate=value)


@pytest.mark.parametrize(
    "name", ["../escape", "a/b", "/tmp", ".", "..", "a b", "Charlm", "1lm", "", "a-b", "é", "a\n"]
)
@pytest.mark.parametrize("section", ["models", "custom_activations"])
def test_name_that_could_not_be_a_folder_or_wildcard_is_refused(refused, section, name):
    content = {"family": "gpt", "context": 16} if section == "models" else {"path": "a:b"}
    config = tiny_config()
    config.setdefault(section, {})[name] = content
    text = refused(config)
    assert text.startswith(section)
    assert repr(name) in text
    assert "must be a name: a lower-case letter" in text


def test_name_that_is_too_long_is_refused(refused):
    config = config_with(f"models.{'x' * 65}", {"family": "gpt", "context": 16})
    assert "at most 64" in refused(config)


def test_two_mistakes_are_two_lines(tmp_path):
    content = config_with("training.iterations", 0)
    content["figures"] = {"dpi": 1}
    with pytest.raises(ReprocoreError) as error:
        parse_study(content, "study.yaml")
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("study.yaml: ") for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "models: {charlm: [",
        "a: b: c",
        "\tseeds: 1",
        "seeds: [1, 2]\n  x: y",
        "&a [*b]",
        "title: 2024-13-45",
        "title: \x07",
        "? [a]\n: 1",
        "!!python/object:os.system {}",
    ],
)
def test_text_that_is_not_yaml_is_one_line(refused, text):
    assert refused(text).startswith("not valid YAML: ")


@pytest.mark.parametrize("text", ["", "[1, 2]", "just words", "3", "null", "# a comment\n"])
def test_file_that_is_no_mapping_is_one_line(refused, text):
    assert refused(text) == "must be a mapping of keys to values"


def test_keys_that_are_no_text_are_one_line(refused):
    assert "unknown key 1" in refused("1: 2\nmodels: {a: {family: gpt}}\n")
    assert "models.1" in refused("models: {1: {family: gpt}}\n")


def test_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"title: \xe9\xff\n")
    for path, words in (
        (tmp_path / "missing.yaml", "no such file"),
        (tmp_path, "cannot be read"),
        (tmp_path / "latin.yaml", "cannot be read"),
    ):
        with pytest.raises(ReprocoreError) as error:
            load_study(path)
        assert one_line(error).startswith(f"{path}: {words}")
