"""`reprocore compare` with groups: every format, and a line for every mistake."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import log_softmax, softmax

POSITIONS, SYMBOLS, MODELS = 30, 4, 4
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 1.5, (POSITIONS, SYMBOLS)) + 0.5 * RANDOM.normal(
    size=(2, MODELS, POSITIONS, SYMBOLS)
)
P = softmax(LOGITS, axis=-1).astype(np.float32)
TARGETS = RANDOM.integers(0, SYMBOLS, POSITIONS)
GROUPS = ("one", "two")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(command: Command) -> Command:
    """Return a function that runs `reprocore compare ...` and gives status, output and errors."""
    return lambda *arguments: command("compare", *arguments)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two groups of four models, and labels."""
    monkeypatch.chdir(tmp_path)
    for group, models in zip(GROUPS, P, strict=True):
        for seed, p in enumerate(models, 1):
            np.save(f"{group}-{seed}.npy", p)
    np.save("labels.npy", TARGETS)
    return tmp_path


def estimates(out: str) -> dict[tuple[str, str], float]:
    content = json.loads(out)
    return {(row["group"], row["measure"]): row["estimate"] for row in content["estimates"]}


def write_samples(path: Path, logs: np.ndarray, order: np.ndarray) -> None:
    lines = [
        {
            "doc_id": int(i),
            "doc": {},
            "target": str(TARGETS[i]),
            "resps": [[[str(x), "False"]] for x in logs[i]],
            "filtered_resps": [[str(x), "False"] for x in logs[i]],
        }
        for i in order
    ]
    path.write_text("\n".join(map(json.dumps, lines)))


def in_format(kind: str, path: Path, model: np.ndarray, logits: np.ndarray) -> None:
    """Write one model in a format."""
    if kind == ".npz":
        np.savez_compressed(path, probabilities=model, targets=TARGETS)
    elif kind == ".safetensors":
        save_file({"probabilities": torch.tensor(model)}, path)
    elif kind == ".pt":
        torch.save({"probabilities": torch.tensor(model, requires_grad=True)}, path)
    elif kind == ".parquet":
        flat = pa.array(model.ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, SYMBOLS)
        pq.write_table(
            pa.table({"probabilities": column, "target": TARGETS}), path, row_group_size=7
        )
    else:
        order = np.random.default_rng(path.stat().st_size if path.exists() else 1)
        write_samples(path, log_softmax(logits, axis=-1), order.permutation(POSITIONS))


@pytest.mark.parametrize("kind", [".npz", ".safetensors", ".pt", ".parquet", ".jsonl"])
def test_every_format_gives_the_same_numbers(command: Command, here: Path, kind: str) -> None:
    arguments = ["one=one-*.npy", "two=two-*.npy", "--targets", "labels.npy", "--json", "-"]
    wanted = estimates(command(*arguments)[1])
    assert {measure for _, measure in wanted} >= {"loss", "accuracy", "relative_pd", "kappa"}
    for group, models, logits in zip(GROUPS, P, LOGITS, strict=True):
        for seed in range(MODELS):
            path = here / f"{group}-{seed + 1}{kind}"
            in_format(kind, path, models[seed], logits[seed])
    code, out, err = command(
        *(text.replace(".npy", kind) if "*" in text else text for text in arguments)
    )
    assert (code, err) == (0, "")
    assert estimates(out) == pytest.approx(wanted, rel=1e-6)


def test_arrays_by_columns_and_of_another_byte_order_are_read(command: Command, here: Path) -> None:
    wanted = command("one-1.npy", "one-2.npy")[1]
    np.save("one-1.npy", np.asfortranarray(P[0, 0]))
    np.save("one-2.npy", P[0, 1].astype(">f4"))
    assert command("one-1.npy", "one-2.npy") == (0, wanted, "")


@pytest.mark.parametrize("layout", ["models", "batches"])
def test_arrays_with_one_axis_more(command: Command, here: Path, layout: str) -> None:
    wanted = estimates(command("one=one-*.npy", "two=two-*.npy", "--json", "-")[1])
    for group, models in zip(GROUPS, P, strict=True):
        if layout == "models":
            np.save(f"{group}.npy", models)
        else:
            for seed, p in enumerate(models):
                np.save(f"{group}_{seed}.npy", p.reshape(3, 10, SYMBOLS))
    pattern = "" if layout == "models" else "_*"
    files = [f"{group}={group}{pattern}.npy" for group in GROUPS]
    code, out, _ = command(*files, "--layout", layout, "--json", "-")
    assert code == 0
    assert estimates(out) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kind", ["logits", "log-probabilities", "labels"])
def test_every_kind(command: Command, here: Path, kind: str) -> None:
    wanted = estimates(command("one=one-*.npy", "two=two-*.npy", "--json", "-")[1])
    outputs = {
        "logits": LOGITS,
        "log-probabilities": log_softmax(LOGITS, axis=-1),
        "labels": LOGITS.argmax(axis=-1),
    }[kind]
    for group, models in zip(GROUPS, outputs, strict=True):
        for seed, own in enumerate(models, 1):
            np.save(f"{group}-{seed}.npy", own)
    code, out, _ = command("one=one-*.npy", "two=two-*.npy", "--kind", kind, "--json", "-")
    assert code == 0
    result = estimates(out)
    assert result.keys() <= wanted.keys()
    assert result == pytest.approx({key: wanted[key] for key in result}, rel=1e-5)


def test_samples_with_fewer_choices_are_compared_and_it_says_so(
    command: Command, here: Path
) -> None:
    for seed in range(2):
        logs = list(log_softmax(LOGITS[0, seed], axis=-1))
        logs[3] = logs[3][:2]
        write_samples(here / f"{seed}.jsonl", logs, np.arange(POSITIONS))
    code, out, _ = command("0.jsonl", "1.jsonl")
    assert code == 0
    assert "documents have different numbers of choices" in out


def test_a_name_is_paired_only_by_the_users_pattern(command: Command, here: Path) -> None:
    code, out, _ = command("one=one-*.npy", "two=two-*.npy", "--targets", "labels.npy")
    assert code == 0
    assert "seeds are not named: compared as unpaired" in out
    assert "loss" in out
    code, out, _ = command("one=one-*.npy", "two=two-*.npy", "--seeds", "*-{seed}.npy")
    assert code == 0
    assert "paired by seed, closed test" in out


def test_tables_and_a_figure_are_written(command: Command, here: Path) -> None:
    labels = [f"page {i // 5}" for i in range(POSITIONS)]
    Path("pages.txt").write_text("\n".join(labels))
    arguments = ["--targets", "labels.npy", "--blocks", "pages.txt", "--csv", "out"]
    code, out, _ = command(
        *("one=one-*.npy", "two=two-*.npy"), *arguments, "--json", "all.json", "--plot", "x.png"
    )
    assert code == 0
    assert "for new models and new data" in out
    written = {path.name for path in (here / "out").iterdir()}
    assert written == {
        *("models.csv", "pairs.csv", "estimates.csv", "contrasts.csv", "verdicts.csv"),
        *("strata.csv", "notices.csv"),
    }
    assert json.loads(Path("all.json").read_text())["verdicts"][0]["first"] == "two"
    assert Path("x.png").stat().st_size > 1000
    assert Path("x.svg").stat().st_size > 1000


def test_float16_that_underflows_is_said_with_what_it_does(command: Command, here: Path) -> None:
    for seed in range(3):
        np.save(f"half-{seed}.npy", softmax(12 * LOGITS[0, seed], axis=-1).astype(np.float16))
    code, out, _ = command("half-0.npy", "half-1.npy", "half-2.npy")
    assert code == 0
    assert "Note: these models: of its relative PD of" in out
    assert "nan" not in out


class Evil:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def evil_files() -> dict[str, Callable[[Path], None]]:
    def npy(path: Path) -> None:
        np.save(path, np.array([Evil()], dtype=object), allow_pickle=True)

    def npz(path: Path) -> None:
        np.savez(path, probabilities=np.array([Evil()], dtype=object))

    def npz_of_pickle(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("probabilities.npy", pickle.dumps(Evil()))

    def of_pickle(path: Path) -> None:
        path.write_bytes(pickle.dumps(Evil()))

    return {
        "array.npy": npy,
        "bare.npy": of_pickle,
        "array.npz": npz,
        "bare.npz": npz_of_pickle,
        "saved.pt": lambda path: torch.save(Evil(), path),
        "dict.pt": lambda path: torch.save({"probabilities": torch.ones(2), "x": Evil()}, path),
        "bare.pt": of_pickle,
    }


@pytest.mark.parametrize("name", evil_files())
def test_a_pickle_is_never_run(command: Command, here: Path, name: str) -> None:
    evil_files()[name](here / name)
    code, _, err = command("one-1.npy", name)
    assert code == 1
    assert err.startswith(f"error: {name}")
    assert err.count("\n") == 1
    assert not Path("ran").exists()


def saved(name: str, array: Any) -> Callable[[], None]:
    return lambda: np.save(name, array)


def text(name: str, content: str) -> Callable[[], None]:
    return lambda: (Path(name).write_text(content), None)[1]


def sample(**changes: Any) -> str:
    return json.dumps(
        {"doc_id": 1, "target": 0, "filtered_resps": [[-1, True], [-2, False]]} | changes
    )


PAIR = ("one=one-*.npy", "two=two-*.npy")
BAD: dict[str, tuple[Callable[[], Any], tuple[str, ...], str]] = {
    "no files": (lambda: None, (), "0 files, needs at least 2"),
    "one file": (lambda: None, ("one-1.npy",), "1 file or array, needs at least 2"),
    "no names": (lambda: None, ("", ""), "allowed are files that end in"),
    "one model": (lambda: None, ("one=one-1.npy", "two=two-*.npy"), "'one': 1 file"),
    "no match": (lambda: None, ("one=x-*.npy",), "x-*.npy: no file fits"),
    "no group": (lambda: None, ("=one-1.npy", "two=two-*.npy"), "must be GROUP=FILES"),
    "mixed": (lambda: None, ("one-1.npy", "two=two-*.npy"), "of no group"),
    "axes": (saved("a.npy", P[0]), ("one-1.npy", "a.npy"), "a layout says what it is"),
    "logits": (saved("a.npy", LOGITS[0, 0]), ("one-1.npy", "a.npy"), "for logits say so"),
    "identical": (saved("a.npy", P[0, 0]), ("one-1.npy", "a.npy"), "numbers as one-1.npy"),
    "targets range": (
        saved("t.npy", TARGETS + 3),
        (*PAIR, "--targets", "t.npy"),
        "targets: symbol",
    ),
    "targets length": (saved("t.npy", TARGETS[:9]), (*PAIR, "--targets", "t.npy"), "30 integers"),
    "targets real": (saved("t.npy", TARGETS / 2), (*PAIR, "--targets", "t.npy"), "30 integers"),
    "blocks size": (lambda: None, (*PAIR, "--blocks", "99"), "must be in 1 to 30"),
    "blocks file": (text("b.txt", "a\nb\n"), (*PAIR, "--blocks", "b.txt"), "must be 30 labels"),
    "reference": (lambda: None, (*PAIR, "--reference", "three"), "no group 'three'"),
    "measure": (lambda: None, (*PAIR, "--measure", "chrun"), "did you mean 'churn'"),
    "confidence": (lambda: None, (*PAIR, "--confidence", "95"), "between 0 and 1"),
    "confidence of nan": (lambda: None, (*PAIR, "--confidence", "nan"), "between 0 and 1"),
    "seed pattern": (lambda: None, (*PAIR, "--seeds", "*.npy"), "must hold {seed} once"),
    "seed name": (lambda: None, (*PAIR, "--seeds", "x-{seed}.npy"), "does not fit the pattern"),
    "same seed": (
        saved("one-01.npy", P[1, 0]),
        (*PAIR, "--seeds", "*-{seed}.npy"),
        "all different",
    ),
    "step": (lambda: None, (*PAIR, "--step", "3"), "has no snapshots"),
    "plot": (lambda: None, (*PAIR, "--plot", "x.doc"), "end in .png or .svg"),
    "kind": (lambda: None, (*PAIR, "--kind", "odds"), "see reprocore compare --help"),
    "labels": (lambda: None, (*PAIR, "--kind", "labels"), "must be 1-D"),
    "manifest": (lambda: None, ("--manifest", "none.csv"), "none.csv: no such file"),
    "manifest head": (text("m.csv", "a,b\n1,2"), ("--manifest", "m.csv"), "needs file and group"),
    "manifest seed": (
        text("m.csv", "file,group,seed\none-1.npy,one,x\n"),
        ("--manifest", "m.csv"),
        "m.csv, line 2: seed 'x'",
    ),
    "manifest some seeds": (
        text("m.csv", "file,group,seed\none-1.npy,a,1\none-2.npy,a,\n"),
        ("--manifest", "m.csv"),
        "named for some files",
    ),
    "cut": (
        lambda: Path("a.npy").write_bytes(Path("one-1.npy").read_bytes()[:200]),
        ("one-1.npy", "a.npy"),
        "cut short",
    ),
    "two arrays": (
        lambda: np.savez("a.npz", a=P[0, 0], b=P[0, 1]),
        ("one-1.npy", "a.npz"),
        "needs an array named 'probabilities'",
    ),
    "not json": (text("a.jsonl", "{"), ("a.jsonl", "a.jsonl"), "a.jsonl, line 1: not JSON"),
    "no doc_id": (text("a.jsonl", "{}"), ("a.jsonl", "a.jsonl"), "whole number as doc_id"),
    "generated": (
        text("a.jsonl", sample(filtered_resps=["blue"])),
        ("a.jsonl", "a.jsonl"),
        "generated text cannot be compared",
    ),
    "twice": (
        text("a.jsonl", f"{sample()}\n{sample()}"),
        ("a.jsonl", "a.jsonl"),
        "line 2: doc_id 1 is there twice",
    ),
    "documents": (
        lambda: (text("a.jsonl", sample())(), text("b.jsonl", sample(doc_id=2))()),
        ("a.jsonl", "b.jsonl"),
        "doc_id 1 is in only one",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_said_in_one_line(command: Command, here: Path, name: str) -> None:
    prepare, arguments, message = BAD[name]
    prepare()
    code, _, err = command(*arguments)
    assert code != 0
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert message in err
