"""The files of the figures: which are written, that they are the same again, what they import."""

import subprocess
import sys

import matplotlib
import pytest

from reprocore.errors import ReprocoreError
from reprocore.report.figures import style
from reprocore.report.figures.all_models.write import write_study_figures
from reprocore.report.figures.one_model.write import write_model_figures
from reprocore.study.layout import MODEL_FIGURES, STUDY_FIGURES

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow


def test_files_are_written_and_reproducible(gappy, tmp_path):
    study = gappy.study
    model_figures = {name: tmp_path / "one/convlm" / f"{name}.png" for name in MODEL_FIGURES}
    write_model_figures(study, "convlm", gappy.model_files("convlm"), model_figures)
    for out in ("one", "two"):
        study_figures = {name: tmp_path / out / f"{name}.png" for name in STUDY_FIGURES}
        write_study_figures(study, gappy.study_files(), study_figures)
    kinds = ("png", "svg")
    names = {f"convlm/{name}.{kind}" for name in MODEL_FIGURES for kind in kinds}
    names |= {f"{name}.{kind}" for name in STUDY_FIGURES for kind in kinds}
    written = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "one").as_posix() for path in written} == names
    again = [path for path in (tmp_path / "two").rglob("*") if path.is_file()]
    assert len(again) == len(kinds) * len(STUDY_FIGURES)
    for path in again:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes(), path.name
    svg = (tmp_path / "one" / "cross_model.svg").read_text("utf-8")
    assert "<dc:date>" not in svg
    assert "interval:a:convlm:swiglu" in svg


def test_files_do_not_depend_on_the_users_settings(gappy, tmp_path):
    first = style.save(gappy.cross_model(), tmp_path / "first")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "savefig.dpi": 20}):
        second = style.save(gappy.cross_model(), tmp_path / "second")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_damaged_table_is_one_line(gappy, tmp_path):
    (tmp_path / "estimates.parquet").write_text("no")
    files = gappy.model_files("convlm") | {"estimates": tmp_path / "estimates.parquet"}
    out = {name: tmp_path / "out" / f"{name}.png" for name in MODEL_FIGURES}
    with pytest.raises(ReprocoreError, match=r"estimates\.parquet: not a whole Parquet file"):
        write_model_figures(gappy.study, "convlm", files, out)
    assert not (tmp_path / "out").exists()


WRITERS = [f"reprocore.report.figures.{part}.write" for part in ("one_model", "all_models")]


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        (["reprocore.study.layout"], {"matplotlib", "pandas", "torch", "numpy"}),
        (WRITERS, {"torch", "matplotlib.pyplot"}),
    ],
    ids=["names", "drawing"],
)
def test_importing_loads_no_more_than_it_needs(imported, unwanted):
    code = f"import sys, {', '.join(imported)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(imported) <= set(loaded)
    assert not unwanted & set(loaded)
