"""Values of `--config`, and the project's folder, as Snakemake would take them."""

from pathlib import Path
from typing import Any

import pytest
from snakemake.cli import parse_config
from snakemake.utils import update_config

from conftest import one_line
from reprocore.errors import ReprocoreError
from reprocore.study.overrides import (
    options_apart,
    parse_overrides,
    project_folder,
    read_config,
    updated,
)


@pytest.mark.parametrize(
    "entries",
    [
        ["seeds=[1,2,3]", "gpu=none"],
        ["partial=True", "claims=", "title='two words'", 'other="x"'],
        ["training={iterations: 3}", "training={batch_size: 2}"],
        ["number=3", "share=2e-3", "date=2024-13-01", "null_word=null", "yes=yes", "text=a: b: c"],
        ["nested={a: {b: [1, 2]}}", "nested={a: {c: 3}}", "equals=a=b"],
    ],
)
def test_values_are_read_as_snakemake_reads_them(entries: list[str]) -> None:
    assert parse_overrides(entries) == parse_config(entries)


@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}}),
        ({"a": [1, 2]}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [1]}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"d": None}}, "e": {"f": 1}}),
    ],
)
def test_values_are_merged_as_snakemake_merges_them(
    config: dict[str, Any], overrides: dict[str, Any]
) -> None:
    merged = updated(config, overrides)
    update_config(config, overrides)
    assert merged == config


@pytest.mark.parametrize("entry", ["seeds", "=3", "two words=3"])
def test_what_is_no_value_is_refused_in_one_line(entry: str) -> None:
    with pytest.raises(ReprocoreError) as error:
        parse_overrides([entry])
    assert "must be of the form key=value" in one_line(error)


def test_an_option_takes_several_values() -> None:
    arguments = ["status", "--config", "a=1", "b=2", "--quick", "c", "--config", "d=3"]
    assert options_apart(arguments) == [
        *("status", "--config", "a=1", "--config", "b=2", "--quick", "c", "--config", "d=3")
    ]


def test_a_cell_is_no_file_of_configuration() -> None:
    arguments = ["sample", "--configfile", "a.yaml", "b.yml", "charlm/relu/1", "c.yaml"]
    assert options_apart(arguments) == [
        *("sample", "--configfile", "a.yaml", "--configfile", "b.yml", "charlm/relu/1", "c.yaml")
    ]


def test_the_last_of_several_files_wins_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seeds: [1, 2]\ntraining: {iterations: 5, batch_size: 4}")
    (tmp_path / "b.yaml").write_text("training: {iterations: 7}")
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert read_config(paths, {"seeds": [3]}) == {
        "seeds": [3],
        "training": {"iterations": 7, "batch_size": 4},
    }


def test_the_nearest_folder_with_a_snakefile_is_the_projects(tmp_path: Path) -> None:
    inner = tmp_path / "project/results/cells"
    inner.mkdir(parents=True)
    assert project_folder(inner) == inner
    (tmp_path / "project/workflow").mkdir()
    (tmp_path / "project/workflow/Snakefile").touch()
    assert project_folder(inner) == tmp_path / "project"
    assert project_folder(tmp_path / "project/workflow/rules") == tmp_path / "project"
    (tmp_path / "project/results/Snakefile").touch()
    assert project_folder(inner) == tmp_path / "project/results"
