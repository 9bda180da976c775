"""Configurations as people get them wrong: one line per wrong key, and nothing is written."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.study.messages import WORDS
from reprocore.study.reading import read_yaml
from reprocore.study.study import load_study, parse_study

MODELS = "models: {a: {family: gpt, context: 64}}\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that writes a configuration and gives the lines of its refusal."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"

    def lines_of(content: str | bytes) -> list[str]:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        with pytest.raises(ReprocoreError) as error:
            load_study("study.yaml")
        assert [*tmp_path.iterdir()] == [path]
        lines = str(error.value).splitlines()
        assert all(line.startswith("study.yaml: ") for line in lines)
        assert all(len(line) < 700 for line in lines)
        return [line.removeprefix("study.yaml: ") for line in lines]

    return lines_of


BAD = {
    # Each text is appended to, or stands instead of, one model: what the one line must hold.
    "a unit behind a number": ("training: {iterations: 500 steps}", "'500 steps': must be a whole"),
    "a decimal comma": ("training: {learning_rate: '0,001'}", "'0,001': must be a number"),
    "a percentage": ("statistics: {confidence: 95%}", "'95%': must be a number"),
    "a percentage as a number": ("statistics: {confidence: 95}", "95: must be less than 1"),
    "a range for a list": ("seeds: 1-5", "'1-5': must be a list"),
    "a comma-separated text": ("activations: relu, gelu", "'relu, gelu': must be a list"),
    "a mapping for a list": ("activations: {relu: true}", "activations: must be a list"),
    "a list for a section": ("training: [500]", "training: [500]: must be a section"),
    "a text for a section": ("corpus: shakespeare.txt", "'shakespeare.txt': must be a section"),
    "a number for a text": ("title: 2024", "must be text; write it in quotes"),
    "a date for a text": ("title: 2024-01-02", "must be text"),
    "a list for a text": ("results: [a, b]", "results: ['a', 'b']: must be text"),
    "null in a list": ("seeds: [1, 2, null]", "seeds.2: null: must be a whole number"),
    "a list in a list": ("seeds: [[1, 2], 3]", "seeds.0: [1, 2]: must be a whole number"),
    "true as a seed": ("seeds: [1, yes]", "seeds.1: true: must be a whole number"),
    "an octal seed": ("seeds: [1, 0o8]", "seeds.1: '0o8': must be a whole number"),
    "a seed beyond all numbers": ("seeds: [1, 1e400]", "seeds.1: '1e400': must be a whole number"),
    "text for true or false": ("partial: maybe", "'maybe': must be true or false"),
    "one rate to tune": ("tuning: {learning_rates: [0.1], seeds: [9]}", "learning_rates: [0.1]"),
    "rates that descend": ("tuning: {learning_rates: [1, 0.1], seeds: [9]}", "must ascend"),
    "a rate of 0": ("tuning: {learning_rates: [0, 0.1], seeds: [9]}", "rates.0: 0: must be"),
    "no seed to tune on": ("tuning: {learning_rates: [0.1, 1], seeds: []}", "tuning.seeds: []"),
    "the study's seeds": (
        "seeds: [1, 2, 3]\ntuning: {learning_rates: [0.1, 1], seeds: [2, 9, 3]}",
        "tuning.seeds: 2, 3: also in the study's seeds",
    ),
    "a tuning within the warm-up": (
        "training: {warmup: 9}\ntuning: {learning_rates: [0.1, 1], seeds: [9], iterations: 8}",
        "tuning.iterations: 8: must be at least the longest warm-up, 9",
    ),
    "a list for true or false": ("partial: [true]", "[true]: must be true or false"),
    "silu": ("activations: [relu, silu]", "did you mean 'swish'?"),
    "an activation in capitals": ("activations: [relu, SwiGLU]", "did you mean 'swiglu'?"),
    "an activation without its β": ("activations: [relu, smelu]", "did you mean 'smelu_1'?"),
    "a colour by name": ("figures: {colours: {relu: blue}}", "colours.relu: 'blue': must be a col"),
    "a colour of three digits": ("figures: {colours: {relu: '#fff'}}", "'#fff': must be a colour"),
    "a home folder": ("results: ~/results", "~ is not replaced here; write the full path"),
    "a control character": ('results: "out\\e[2J"', "must not hold control characters"),
    "a text file at home": (
        "corpus: {source: file, path: ~/a.txt}",
        "corpus.path: '~/a.txt': ~ is not replaced",
    ),
    "a key in capitals": ("Seeds: [1, 2]", "unknown key 'Seeds'; did you mean 'seeds'?"),
    "a key of another section": ("iterations: 5", "unknown key 'iterations'"),
    "a title beyond measure": (f"title: {'x' * 5000}", "must have at most 200 characters"),
    "more warm-up than training": (
        "training: {iterations: 10, warmup: 11}",
        "training.warmup: 11: must be at most the iterations, 10",
    ),
    "a text beside a list": ("gpu: [auto]", "gpu: ['auto']: allowed: auto, available, none"),
    "true for a device": ("gpu: true", "gpu: true: allowed: auto, available, none"),
    "one size": ("scale: [a]", "scale: ['a'] is too few: at least 3 models make a slope"),
    "a size three times": ("scale: [a, a, a]", "scale: 'a' is listed twice"),
    "a quoted nothing": ("claims: ''", "claims: '': must not be empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_in_words_of_the_file(written: Any, case: str) -> None:
    text, words = BAD[case]
    (line,) = written(f"{MODELS}{text}\n")
    assert words in line


MODEL = {
    "no family": ("{}", "models.a.family: missing; this key is required"),
    "a list of models": ("[gpt]", "models.a: ['gpt']: must be a section"),
    "a text": ("gpt", "models.a: 'gpt': must be a section"),
    "a size of true": (
        "{family: conv, sizes: {dilations: [1, true]}}",
        "models.a.sizes.dilations.1: true: must be a whole number",
    ),
    "heads beyond the width": (
        "{family: gpt, sizes: {heads: 3}}",
        "models.a.sizes: heads (3) must divide width (128)",
    ),
    "heads of no attention": (
        "{family: recurrent, sizes: {heads: 2}}",
        "models.a.sizes: heads (2) has no meaning without attention: true",
    ),
    "heads that do not divide the state": (
        "{family: recurrent, sizes: {attention: true, width: 6}}",
        "models.a.sizes: heads (4) must divide width (6)",
    ),
    "an unknown cell": (
        "{family: recurrent, sizes: {cell: gro}}",
        "models.a.sizes.cell: 'gro': did you mean 'gru'?",
    ),
    "a cell of the old name": (
        "{family: lstm, sizes: {cell: gru}}",
        "models.a.sizes: unknown key 'cell'",
    ),
    "own warm-up": (
        "{family: gpt, training: {warmup: 501}}",
        "models.a.training.warmup: 501: must be at most the iterations, 500",
    ),
    "own iterations": (
        "{family: gpt, training: {iterations: 5}}\ntraining: {warmup: 6}",
        "models.a.training.warmup: 6: must be at most the iterations, 5",
    ),
    "a gpu for each": ("{family: gpt, resources: {gpu: 4}}", "resources.gpu: 4: must be at most 1"),
    "memory in words": ("{family: gpt, resources: {mem_mb: 2 GB}}", "'2 GB': must be a whole"),
}


@pytest.mark.parametrize("case", MODEL)
def test_a_mistake_in_a_model_names_the_whole_way_to_it(written: Any, case: str) -> None:
    text, words = MODEL[case]
    (line,) = [line for line in written(f"models:\n  a: {text}\n") if "context" not in line]
    assert words in line


def test_every_wrong_key_has_a_line_of_its_own(written: Any) -> None:
    lines = written(
        "models:\n"
        "  a: {family: gpt, context: 64, colour: red, sizes: {width: 0, heads: x, depth: 3}}\n"
        "  b: {family: gtp, context: 64, training: {iterations: -1, lr: 3}}\n"
        "seeds: [1, -1]\nseed: 3\nfigures: {dpi: 1, size: 3}\n"
    )
    places = sorted(line.split(": ")[0] for line in lines)
    assert places == [
        "figures",
        "figures.dpi",
        "models.a",
        "models.a.sizes",
        "models.a.sizes.heads",
        "models.a.sizes.width",
        "models.b.family",
        "models.b.training",
        "models.b.training.iterations",
        "seeds.1",
        "unknown key 'seed'; did you mean 'seeds'? allowed",
    ]


def test_what_does_not_fit_together_is_reported_all_at_once(written: Any) -> None:
    lines = written(
        "models:\n"
        "  a: {family: gpt, context: 12, arms: [all, all]}\n"
        "  b: {family: gpt, context: 999}\n"
        "activations: [relu, relu, silu]\nstatistics: {reference: tanh}\n"
    )
    assert [line.split(": ")[0] for line in lines] == [
        "models.a.context",
        "models.b.context",
        "models.a.arms",
        "statistics.reference",
        "activations",
        "activations",
    ]


DUPLICATES = {
    f"seeds: [1, 2]\n{MODELS}seeds: [3, 4]\n": ("seeds", 1, 3),
    "models:\n  a: {family: gpt}\n  b: {family: gpt}\n  a: {family: conv}\n": ("a", 2, 4),
    "models: {a: {family: gpt, family: conv}}\n": ("family", 1, 1),
    'models: {a: {family: gpt, sizes: {width: 16,\n\n "width": 32}}}\n': ("width", 1, 3),
    '{"title": "a",\n\t"title": "b"}': ("title", 1, 2),
}


@pytest.mark.parametrize("text", DUPLICATES)
def test_a_key_twice_is_refused_with_both_lines(written: Any, text: str) -> None:
    key, first, second = DUPLICATES[text]
    (line,) = written(text)
    assert line == f"the key {key!r} is in line {first} and in line {second}; keep one of them"


def test_a_key_twice_is_refused_in_any_yaml_file(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("- id: a\n  text: x\n  id: b\n")
    with pytest.raises(ReprocoreError) as error:
        read_yaml(path)
    assert "the key 'id' is in line 1 and in line 3" in one_line(error)


def test_merge_keys_and_json_are_no_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc:\n  <<: [*a]\n  <<: *a\n")
    assert read_yaml(path)["b"] == {"x": 3, "y": 2}
    path.write_text('{\n\t"a": [1,\t2]\n}')
    assert read_yaml(path) == {"a": [1, 2]}


UNREADABLE = {
    "utf-16": (f"title: é\n{MODELS}".encode("utf-16"), "not UTF-8 text (byte 0); save it as UTF-8"),
    "utf-16 without a mark": (MODELS.encode("utf-16-le"), "not valid YAML"),
    "latin-1": (f"title: é\n{MODELS}".encode("latin-1"), "not UTF-8 text (byte 7)"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8 text (byte 0)"),
    "deep lists": (b"title: " + b"[" * 5000 + b"]" * 5000, "not valid YAML: nested too deeply"),
    "deep mappings": (b"{a: " * 3000, "not valid YAML: nested too deeply"),
    "two documents": (f"{MODELS}---\n{MODELS}".encode(), "not valid YAML"),
    "itself": (b"models: &m {a: *m}", "models.a: unknown key 'a'"),
    "a list of itself": (b"title: &t [*t]", "title"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_is_none_is_one_line(written: Any, case: str) -> None:
    content, words = UNREADABLE[case]
    assert any(words in line for line in written(content))


def test_a_file_that_grows_by_aliases_is_refused_at_once(written: Any) -> None:
    lists = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    lines = written(f"{MODELS}x0: &x0 [lol]\n{lists}title: *x11\nresults: *x11\n")
    assert {line.split(": ")[0] for line in lines} >= {"title", "results"}


def test_true_and_false_are_taken_where_they_belong() -> None:
    content = copy.deepcopy(tiny_config())
    content["models"]["charlm"]["sizes"]["bias"] = False
    assert parse_study({**content, "partial": True}).partial is True


def test_empty_sections_of_a_model_are_the_defaults() -> None:
    model = {"family": "gpt", "context": 64}
    empty = model | dict.fromkeys(("sizes", "training", "resources"))
    assert parse_study({"models": {"a": empty}}) == parse_study({"models": {"a": model}})


def test_no_message_speaks_of_the_validator(written: Any) -> None:
    """Every type of error that a section can raise has words of its own."""
    wrong: list[Any] = [None, True, 3, -3, 0.5, "x", "", [], [0], ["x"], {}, {"x": 1}, 10**5000]
    wrong += [float("nan"), float("inf"), -1e300, 1e300, "9" * 5000, "a" * 300, b"x", "\ud800"]
    fields = tiny_config()
    sections = {
        "corpus": ("source", "path", "url", "sha256", "train_fraction"),
        "probe": ("positions", "block", "lead"),
        "training": ("iterations", "learning_rate", "schedule", "clip_norm", "warmup"),
        "statistics": ("confidence", "reference", "primary", "margins"),
        "figures": ("measure", "dpi", "colours"),
    }
    contents = [
        {**fields, section: {key: value}}
        for section, keys in sections.items()
        for key in keys
        for value in wrong
    ]
    top = ("title", "results", "seeds", "arms", "activations", "models", "gpu", "claims", "partial")
    contents += [{**fields, key: value} for key in (*top, *sections) for value in wrong]
    model = fields["models"]["charlm"]
    keys = ("family", "context", "sizes", "training", "resources", "activations", "arms")
    contents += [
        {**fields, "models": {"a": {**model, key: value}}} for key in keys for value in wrong
    ]
    for content in contents:
        try:
            parse_study(content)
        except ReprocoreError as error:
            for line in str(error).splitlines():
                assert len(line) < 700
                for foreign in (
                    "nput should",
                    "valid ",
                    "tuple",
                    "dictionary",
                    "Value error",
                    "str",
                ):
                    assert foreign not in line.replace("strata", ""), line
    assert all(words[0].islower() for words in WORDS.values())
    yaml.safe_dump(fields)
