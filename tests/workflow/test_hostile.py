"""A study from a stranger: it runs no code and writes nowhere unless the user has said so."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from conftest import one_line, tiny_config
from project import REPROCORE, TINY, Project, finished
from reprocore.analysis.arrays import load_array
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.store.readers import read_pairs
from reprocore.store.schemas import PAIRS_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import Cell
from reprocore.study.permissions import check_links, check_places
from reprocore.study.study import load_study, parse_study
from reprocore.training.cell import load_cell
from reprocore.training.models.activations import load_dotted

EVIL = "open('ran', 'w').close()\n\n\ndef act(x, *_, **__):\n    return x\n"


class Payload:
    """A pickle that leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("ran", "w")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; a trace of foreign code would be the file `ran` in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> Project:
    """A project with a stranger's study in it."""
    project = Project(tmp_path, {**TINY, "models": {"small": TINY["models"]["small"]}})
    (tmp_path / "stranger.py").write_text(EVIL)
    return project


def reprocore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return finished([*REPROCORE, *arguments])


NAMES = {
    "custom_activations.mine.path": {
        "activations": ["relu", "mine"],
        "custom_activations": {"mine": {"path": "stranger:act"}},
    },
    "models.small.family": {"models": {"small": {"family": "stranger:act", "context": 16}}},
}


@pytest.mark.parametrize("key", NAMES)
def test_code_of_a_stranger_needs_to_be_named(foreign: Project, key: str) -> None:
    foreign.write(foreign.changed(**NAMES[key]))
    path = os.pathsep.join([str(foreign.root / "src"), str(foreign.root)])
    done = foreign.snakemake("--dry-run", PYTHONPATH=path, REPROCORE_ALLOW="mine")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert told == [
        f"error: {key}: 'stranger:act' is code from outside reprocore; if you trust it, set the "
        "environment variable REPROCORE_ALLOW=mine,stranger"
    ]
    # Exactly what the message says makes it run.
    allowed = "broken_activation,stranger"
    done = foreign.snakemake("--dry-run", PYTHONPATH=path, REPROCORE_ALLOW=allowed)
    assert done.returncode == 0, done.stderr
    assert not (foreign.root / "ran").exists()
    assert not (foreign.root / "out").exists()


def test_a_dotted_path_is_not_imported_without_the_users_word(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "stranger.py").write_text(EVIL)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for allowed in ("", "strange", "stranger.py", "./stranger"):
        monkeypatch.setenv("REPROCORE_ALLOW", allowed)
        with pytest.raises(ReprocoreError) as error:
            load_dotted("stranger:act", "custom_activations.mine.path")
        assert "REPROCORE_ALLOW=" in one_line(error)
    assert not (here / "ran").exists()
    monkeypatch.setenv("REPROCORE_ALLOW", "another, stranger")
    try:
        assert callable(load_dotted("stranger:act", "custom_activations.mine.path"))
    finally:
        sys.modules.pop("stranger", None)
    assert (here / "ran").exists()


def test_no_configuration_can_allow_itself(here: Path) -> None:
    for key in ("REPROCORE_ALLOW", "allow", "__use_yte__", "__definitions__"):
        with pytest.raises(ReprocoreError) as error:
            parse_study(tiny_config(**{key: ["stranger"]}))
        assert f"unknown key '{key}'" in one_line(error)


@pytest.mark.parametrize(
    "text",
    [
        "title: !!python/object/apply:os.system ['touch ran']",
        "title: !!python/name:os.system",
        "__use_yte__: true\n?open('ran', 'w').close(): 1",
        "__use_yte__: true\n__definitions__:\n  - open('ran', 'w').close()",
    ],
)
def test_reading_a_configuration_runs_nothing(here: Path, text: str) -> None:
    (here / "study.yaml").write_text(text)
    for command in ("status", "verify"):
        done = reprocore(command, "-c", "study.yaml")
        assert done.returncode == 1
        assert done.stderr.startswith("error: study.yaml")
        assert "Traceback" not in done.stderr
    assert not (here / "ran").exists()


@pytest.mark.parametrize("results", ["../elsewhere", "/tmp/elsewhere", "a/../../b", "link/out"])
def test_results_outside_the_working_folder_need_to_be_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, results: str
) -> None:
    (here / "link").symlink_to(here.parent)
    study = parse_study(tiny_config(results=results))
    with pytest.raises(ReprocoreError) as error:
        check_places(study)
    text = one_line(error)
    assert text.startswith("results: ")
    setting = text.rpartition("REPROCORE_ALLOW=")[2]
    assert setting == os.path.realpath(results)
    # A module of the name does not open the folder; the folder itself and one above it do.
    for allowed, opens in (
        ("elsewhere", False),
        (setting, True),
        (str(Path(setting).parent), True),
    ):
        monkeypatch.setenv("REPROCORE_ALLOW", allowed)
        if opens:
            check_places(study)
        else:
            with pytest.raises(ReprocoreError):
                check_places(study)


@pytest.mark.parametrize("place", ["cells/small", "logs/train/x.log", "study.json", "pairs"])
def test_a_link_out_of_the_results_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    victim = here / "victim"
    victim.mkdir()
    link = here / "out" / place
    link.parent.mkdir(parents=True)
    (here / "out/inner").symlink_to(".")
    check_links("out")
    link.symlink_to(victim)
    with pytest.raises(ReprocoreError) as error:
        check_links("out")
    assert one_line(error).startswith(f"{link}: is a link that leads out of the results")
    monkeypatch.setenv("REPROCORE_ALLOW", str(victim))
    check_links("out")


def test_a_link_to_nothing_is_refused_with_what_deletes_it(here: Path) -> None:
    (here / "out").mkdir()
    link = here / "out/summary.csv"
    link.symlink_to("nothing")
    with pytest.raises(ReprocoreError) as error:
        check_links("out")
    assert one_line(error) == f"{link}: is a link to nothing; delete it: rm -- out/summary.csv"


def test_snakemake_writes_nothing_through_a_link(foreign: Project) -> None:
    victim = foreign.root / "victim.txt"
    victim.write_text("mine")
    log = foreign.root / "out/logs/corpus.log"
    log.parent.mkdir(parents=True)
    log.symlink_to(victim)
    done = foreign.snakemake("out/corpus/tokens.parquet")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "corpus.log: is a link that leads out of the results" in line
    assert victim.read_text() == "mine"
    assert not (foreign.root / "out/corpus").exists()


def test_modules_in_the_working_folder_are_not_imported(foreign: Project) -> None:
    """Python puts the working folder first where a job is started as `python -m snakemake`."""
    work = foreign.root / "theirs"
    work.mkdir()
    for name in ("study.yaml", "text.txt"):
        shutil.copy(foreign.root / name, work)
    shutil.copytree(foreign.root / "config", work / "config")
    for name in ("reprocore", "yaml", "numpy", "pyarrow"):
        (work / f"{name}.py").write_text(EVIL)
    command = [str(Path(sys.executable).with_name("snakemake")), "--snakefile", "../Snakefile"]
    command += ["--cores", "1", "--configfile", "study.yaml", "--", "out/corpus/tokens.parquet"]
    done = finished(command, **{**foreign.place(), "cwd": work})
    assert not (work / "ran").exists()
    assert done.returncode == 0, done.stderr
    assert (work / "out/corpus/tokens.parquet").is_file()


def test_links_of_a_large_study_are_checked_quickly(here: Path) -> None:
    for index in range(3600):
        cell = here / f"out/cells/m{index % 6}/a{index % 5}/all-{index}"
        cell.mkdir(parents=True)
        for name in ("history", "predictions", "weights", "cell"):
            (cell / name).touch()
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        check_links("out")
        best = min(best, time.perf_counter() - started)
    assert best < 0.5


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.safetensors"])
def test_a_pickle_in_a_cells_folder_is_not_loaded(
    here: Path, tiny_corpus: Corpus, name: str
) -> None:
    study = parse_study(tiny_config())
    cell = Cell("charlm", "relu", "all", 1)
    folder = cell.folder(here / "out")
    folder.mkdir(parents=True)
    (folder / name).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ReprocoreError) as error:
        load_cell(study, cell, folder, tiny_corpus)
    assert str(folder / "weights.safetensors") in one_line(error)
    assert not (here / "ran").exists()


@pytest.mark.parametrize("name", ["evil.npz", "evil.npy", "evil.parquet"])
def test_a_pickle_given_to_compare_is_not_loaded(here: Path, name: str) -> None:
    array = np.array([Payload()], dtype=object)
    if name.endswith("npz"):
        np.savez(name, probabilities=array)
    else:
        with open(name, "wb") as stream:
            np.save(stream, array, allow_pickle=True)
    with pytest.raises(ReprocoreError) as error:
        load_array(name)
    assert one_line(error).startswith(name)
    assert not (here / "ran").exists()


def varint(number: int) -> bytes:
    """A positive number as Thrift's compact protocol writes it: zigzag, 7 bits a byte."""
    number, found = number * 2, bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def lying_about_rows(path: Path) -> pa.Schema:
    """A small file whose footer declares 2^60 rows."""
    schema = pa.schema([("a", pa.int64())])
    pq.write_table(pa.table({"a": np.zeros(12345, np.int64)}, schema=schema), path)
    content = path.read_bytes()
    size = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - size : -8].replace(varint(12345), varint(2**60))
    path.write_bytes(content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return schema


def many_equal_numbers(path: Path) -> pa.Schema:
    """4 GiB of one number, run-length encoded."""
    schema = pa.schema([(f"c{index}", pa.int64()) for index in range(8)])
    table = pa.table([pa.array(np.zeros(2**20, np.int64))] * 8, schema=schema)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(64):
            writer.write_table(table)
    return schema


def one_long_text(path: Path) -> pa.Schema:
    """16 GiB of one long text, stored once."""
    texts = pa.DictionaryArray.from_arrays(np.zeros(2**18, np.int32), ["x" * 2**16])
    pq.write_table(pa.table({"a": texts}), path, store_schema=False)
    return pa.schema([("a", pa.string())])


READ = """
import pickle, resource, sys
from pathlib import Path
from reprocore.errors import ReprocoreError
from reprocore.store.tables import read_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
try:
    read_table(sys.argv[1], pickle.loads(bytes.fromhex(sys.argv[2])))
except ReprocoreError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("make", [lying_about_rows, many_equal_numbers, one_long_text])
def test_a_huge_declared_size_is_one_line_and_little_memory(
    here: Path, make: Callable[[Path], pa.Schema]
) -> None:
    schema = make(here / "huge.parquet")
    assert (here / "huge.parquet").stat().st_size < 4 * 10**6
    command = [sys.executable, "-c", READ, "huge.parquet", pickle.dumps(schema).hex()]
    done = finished(command)
    line, kilobytes = done.stdout.splitlines()
    assert line.startswith("huge.parquet: not read, as it would take ")
    assert int(kilobytes) < 200_000
    assert done.stderr == ""


def test_a_large_honest_table_is_read(here: Path) -> None:
    """Numbers that are all the same, as of a model that has learned nothing, are no attack."""
    rows = 200_000
    zeros = np.zeros(rows)
    columns = {
        field.name: ["a"] * rows if pa.types.is_string(field.type) else zeros.astype(int)
        for field in PAIRS_SCHEMA
    }
    pq.write_table(pa.table(columns, schema=PAIRS_SCHEMA), "pairs.parquet", compression="zstd")
    assert read_pairs("pairs.parquet").num_rows == rows
    texts = pa.table({"a": pa.array(["x", None, "y"] * 1000)})
    pq.write_table(texts, "texts.parquet")
    assert read_table("texts.parquet", texts.schema).equals(texts)


def test_a_configuration_is_data_for_the_command_line_too(here: Path) -> None:
    content = tiny_config(activations=["relu", "mine"])
    content["custom_activations"] = {"mine": {"path": "stranger:act"}}
    (here / "study.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(content))))
    assert load_study("study.yaml").custom_activations["mine"].path == "stranger:act"
    done = reprocore("train", "charlm/mine/1", "-c", "study.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("error: custom_activations.mine.path: 'stranger:act' is code")
