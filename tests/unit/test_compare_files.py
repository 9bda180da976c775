"""`reprocore compare` of two or three files alone, and what it says of wrong ones."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import one_line
from reprocore.analysis.arrays import compare_arrays, load_array
from reprocore.errors import ReprocoreError
from reprocore.report.terminal import PlainConsole
from reprocore.statistics.divergence import churn, relative_pd
from reprocore.study.cells import Cell
from reprocore.study.study import load_study


def distributions(count: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.dirichlet(np.ones(5), size=20) for _ in range(count)]


def save_all(folder: Path, arrays: list[np.ndarray]) -> list[Path]:
    paths = [folder / f"{index}.npy" for index in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return paths


@pytest.fixture
def stored(study_file: Path) -> Path:
    """The predictions of a cell."""
    cell = Cell("charlm", "relu", "all", 1)
    return cell.folder(load_study(study_file).results) / "predictions.parquet"


def test_two_files_have_every_measure_but_no_interval(command: Any, tmp_path: Path) -> None:
    p, q = distributions(2)
    code, out, _ = command("compare", *save_all(tmp_path, [p, q]))
    assert code == 0
    assert "2 models, 1 pair\n" in re.sub(" +\n", "\n", out)
    assert f"{relative_pd(p, q):.4f}" in out
    assert f"{churn(p, q):.4f}" in out
    assert "No interval: 2 seeds, needs 3" in out


def test_three_files_have_an_interval(command: Any, tmp_path: Path) -> None:
    arrays = distributions(3)
    code, out, _ = command("compare", *save_all(tmp_path, arrays))
    assert code == 0
    _, values, estimates = compare_arrays([load_array(tmp_path / f"{i}.npy") for i in range(3)])
    estimate = estimates["churn"]
    assert estimate.estimate == pytest.approx(values["churn"].mean())
    # To the second digit of half the interval.
    assert 0.1 <= (estimate.high - estimate.low) / 2 < 1
    assert f" {estimate.low:.2f} " in out


def test_no_number_is_cut_on_a_narrow_terminal(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprocore.cli.console", PlainConsole(width=60, highlight=False))
    code, out, _ = command("compare", *save_all(tmp_path, distributions(3)))
    assert code == 0
    assert "…" not in out


def test_npz_and_parquet_of_the_same_numbers_differ_by_nothing(
    tmp_path: Path, stored: Path
) -> None:
    own = load_array(stored)
    path = tmp_path / "copy.npz"
    np.savez(path, probabilities=own.probabilities, targets=own.targets)
    _, values, _ = compare_arrays([own, load_array(path)])
    assert values["relative_pd"][0] == 0
    assert values["relative_pd_true"][0] == 0


def test_an_earlier_step_can_be_chosen(stored: Path) -> None:
    with pytest.raises(ReprocoreError) as error:
        load_array(stored, step=3)
    assert "allowed: 2, 4, 8" in one_line(error)
    assert not np.array_equal(load_array(stored, 2).probabilities, load_array(stored).probabilities)


NUMBERS = {
    "negative": (lambda p: p - 0.1, "must be 0 or more"),
    "sum": (lambda p: p * np.where(np.arange(20) == 3, 2, 1)[:, None], "position 3 sum to 2, must"),
    "nan": (lambda p: np.where(p == p[3, 2], np.nan, p), "position 3, symbol 2, must be finite"),
    "positions": (lambda p: p[:10], "shape (10, 5), but"),
    "symbols": (lambda p: p[:, :3], "shape (20, 3), but"),
    "empty": (lambda p: p[:0], "must not be empty"),
    "one row": (lambda p: p[0], "must be 2-D"),
    "text": (lambda p: p.astype(str), "must be real numbers"),
    "complex": (lambda p: p * 1j, "must be real numbers"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_bad_numbers_are_said_in_one_line(command: Any, tmp_path: Path, case: str) -> None:
    change, told = NUMBERS[case]
    p, q = distributions(2)
    code, _, err = command("compare", *save_all(tmp_path, [p, change(q)]))
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"error: {tmp_path / '1.npy'}: ")
    assert told in err


def header_only(shape: tuple[int, int]) -> bytes:
    """An array file that declares a shape and holds next to nothing."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(64)


FILES = {
    "absent.npy": (None, "no such file"),
    "empty.npy": (b"", "not a numpy array file"),
    "plain.npy": (b"a plain text, saved under a wrong name\n" * 20, "not a numpy array file"),
    "numbers.npy": (b"0.5 0.5\n0.4 0.6\n", "not a numpy array file"),
    "magic.npy": (b"\x93NUMPY and then a plain text that goes on", "not a numpy array file"),
    "huge.npy": (header_only((10**12, 65)), "cut short"),
    "beyond.npy": (header_only((2**62, 2**62)), "cut short"),
    "negative.npy": (header_only((-1, 65)), "shape (-1, 65)"),
    "none.npy": (header_only((0, 5)), "must not be empty"),
    "noise.npz": (b"PK\x03\x04" + bytes(range(256)), "not a numpy array file"),
    "plain.npz": (b"no zip at all", "not a numpy array file"),
    "plain.safetensors": (b"x", "not a safetensors file"),
    "plain.pt": (b"x", "not a file of tensors alone"),
    "plain.parquet": (b"x", "not a whole Parquet file"),
    "broken.parquet": (b"PAR1broken", "not a whole Parquet file"),
    "table.csv": (b"1,2", "allowed are files that end in"),
    "no_suffix": (b"", "allowed are files that end in"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_said_in_one_line(command: Any, tmp_path: Path, name: str) -> None:
    content, told = FILES[name]
    (good,) = save_all(tmp_path, distributions(1))
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = command("compare", good, tmp_path / name)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {tmp_path / name}: ")
    assert told in err
    assert "pickle" not in err
