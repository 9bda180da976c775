"""Text files of `compare`: samples, labels and manifests are read line by line, as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import one_line
from reprocore.errors import ReprocoreError
from reprocore.store.arrays.harness import read_samples
from reprocore.store.arrays.manifest import members_of, read_manifest
from reprocore.store.arrays.reading import read_labels
from reprocore.store.arrays.whole_numbers import whole_number

# At these `str.splitlines` splits, and JSON and CSV do not.
SEPARATORS = ("\u2028", "\u2029", "\x85")
# At the first two `str.isdigit` is true once a sign is away, and `int` refuses them.
NO_NUMBERS = ("--2", "²", "-", "", "1.5", "+2", "٣", "2\n", "9" * 5000)


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_what_is_no_whole_number_is_none(word: str) -> None:
    assert whole_number(word) is None


def test_whole_numbers() -> None:
    assert [whole_number(word) for word in ("0", "-2", "007")] == [0, -2, 7]
    assert whole_number("-" + "9" * 18) == 1 - 10**18


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_samples_may_hold_separators_of_lines(tmp_path: Path, separator: str, ends: str) -> None:
    path = tmp_path / "a.jsonl"
    samples = [
        {"doc_id": i, "doc": f"a{separator}b", "target": 0, "filtered_resps": [[-1, 1], [-2, 0]]}
        for i in range(2)
    ]
    lines = [json.dumps(sample, ensure_ascii=False) for sample in samples]
    path.write_text("".join(line + ends for line in lines), "utf-8", newline="")
    source = read_samples(path)
    assert source.positions.tolist() == [0, 1]
    path.write_text(f"{lines[0]}\n\n{{", "utf-8")
    with pytest.raises(ReprocoreError) as error:
        read_samples(path)
    assert one_line(error) == f"{path}, line 3: not JSON"


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_label_may_hold_a_separator_of_lines(tmp_path: Path, separator: str) -> None:
    (tmp_path / "a.txt").write_text(f"one{separator}two\n\nthree\r\n", "utf-8")
    assert read_labels(tmp_path / "a.txt", "blocks").tolist() == [f"one{separator}two", "three"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["1", "-2"], np.array([1, -2])),
        (["1", "--2"], np.array(["1", "--2"])),
        (["1", "²"], np.array(["1", "²"])),
        (["1", "9" * 5000], np.array(["1", "9" * 5000])),
    ],
)
def test_labels_are_numbers_only_if_all_are(tmp_path: Path, words: list[str], wanted: Any) -> None:
    (tmp_path / "a.txt").write_text("\n".join(words), "utf-8")
    found = read_labels(tmp_path / "a.txt", "blocks")
    assert found.dtype == wanted.dtype
    assert found.tolist() == wanted.tolist()


def test_a_manifest_is_told_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("file,group,seed\na.npy,one\u2028two,1\n\n\nb.npy,one,x\n", "utf-8")
    with pytest.raises(ReprocoreError) as error:
        read_manifest(path)
    assert one_line(error).startswith(f"{path}, line 5: seed 'x', must be a whole number")
    path.write_text("file,group,seed\na.npy,one\u2028two,1\n\nb.npy,one,02\n", "utf-8")
    assert [(m.group, m.seed) for m in read_manifest(path)] == [("one\u2028two", 1), ("one", 2)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,group\n", ": names no file"),
        ("", ": columns []; needs file and group"),
        ("file,group\na.npy,one,1\n", ", line 2: has more fields than the first line"),
    ],
)
def test_a_manifest_of_another_shape_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ReprocoreError) as error:
        read_manifest(path)
    assert one_line(error).startswith(f"{path}{reason}")


def test_a_seed_in_a_name_has_no_more_digits_than_a_column_takes(tmp_path: Path) -> None:
    path = tmp_path / f"relu-{'9' * 19}.npy"
    path.touch()
    with pytest.raises(ReprocoreError) as error:
        members_of([str(path)], "relu-{seed}.npy")
    assert one_line(error) == f"{path}: seed {'9' * 19}, must have at most 18 digits"


@pytest.mark.parametrize("seed", ["-1", "--2", "²", "9" * 19])
def test_a_seed_of_a_manifest_is_a_whole_number_of_0_or_more(tmp_path: Path, seed: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"file,group,seed\na.npy,one,{seed}\n", "utf-8")
    with pytest.raises(ReprocoreError) as error:
        read_manifest(path)
    assert f"line 2: seed '{seed}', must be a whole number" in one_line(error)


def test_files_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["a1²2.npy", "a-2.npy", "a-10.npy", f"b-{'9' * 100}.npy"]
    for name in names:
        (tmp_path / name).touch()
    found = members_of([f"{tmp_path}/*.npy"])
    assert [member.path.name for member in found] == names


@pytest.mark.parametrize("size", ["²", "--2", "1.5", "ten"])
def test_blocks_are_a_number_or_a_file(command: Any, size: str) -> None:
    code, out, err = command("compare", "a.npy", "b.npy", f"--blocks={size}")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: --blocks {size}: must be a number of positions, or a file that")


def test_text_before_a_seed_does_not_take_its_first_digits(tmp_path: Path) -> None:
    for seed in (2, 10, 11):
        np.save(tmp_path / f"r{seed}.npy", np.zeros(1))
    members = members_of([f"{tmp_path}/*.npy"], "*{seed}.npy")
    assert sorted(member.seed for member in members) == [2, 10, 11]


def test_numbers_beyond_those_of_a_machine_are_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"doc_id": 0, "target": Infinity, "filtered_resps": [[-1], [-2]]}\n')
    assert read_samples(path).targets is None
    path.write_text('{"doc_id": 0, "filtered_resps": [[-1' + "0" * 400 + "], [-2]]}\n")
    with pytest.raises(ReprocoreError, match="log-likelihoods of 2 choices or more"):
        read_samples(path)
