"""`reprocore pilot` and `reprocore plan`: what few seeds show, and how many are needed."""

import itertools
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from conftest import tiny_config
from project import REPROCORE, started
from reprocore.pipeline.pilot import pilot_study
from reprocore.pipeline.verification.verify import verify
from reprocore.store.schemas import PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.study import load_study, parse_study
from reprocore.vocabulary import MEASURES


class TestPilot:
    @pytest.mark.slow
    def test_it_says_what_shows_and_how_surely(self, command: Any, study_file: Path) -> None:
        options = ("-c", study_file, "--iterations", 4, "--seeds", 3)
        code, out, err = command("pilot", "charlm", *options)
        assert code == 0, err
        assert out.count("training charlm/") == 6
        assert re.search(r"swiglu +relu +\d\.\d+ +\d\.\d+ +\d\.\d+ +undecided", out)
        assert "After 50% of the training" in out
        assert "3 seeds, a verdict needs 4" in out

    def test_a_study_over_sizes_has_pilots_of_its_models(self) -> None:
        model = {"family": "lstm", "activations": ["tanh", "elu"]}
        content = {"models": dict.fromkeys(("small", "middle", "large"), model)}
        content |= {"scale": [*content["models"]], "statistics": {"reference": "elu"}}
        found = pilot_study(parse_study(content), "middle", 2, 2)
        assert (list(found.models), found.reference_of("middle")) == (["middle"], "elu")

    @pytest.mark.slow
    def test_two_seeds_give_no_recommendation(self, command: Any, study_file: Path) -> None:
        options = ("-c", study_file, "--iterations", 4, "--seeds", 2)
        code, out, _ = command("pilot", "charlm", *options)
        assert code == 0
        assert "No recommendation: 2 seeds, needs 3" in out
        assert "nan" not in out.lower()

    @pytest.mark.slow
    def test_a_pilot_that_was_killed_resumes_with_the_cell_that_was_missing(
        self, command: Any, study_file: Path
    ) -> None:
        options = ("-c", str(study_file), "--iterations", "4", "--seeds", "2")
        cells = Path(load_study(study_file).results) / "pilot/charlm-4/cells/charlm/relu"
        with started([*REPROCORE, "pilot", "charlm", *options], cwd=study_file.parent) as process:
            while not (cells / "all-1/cell.json").is_file():
                assert process.poll() is None
                time.sleep(0.01)
            process.terminate()
            assert process.wait(timeout=60) != 0
        kept = (cells / "all-1/cell.json").read_bytes()
        code, out, err = command("pilot", "charlm", *options)
        assert code == 0, err
        assert "training charlm/relu/all-1" not in out
        assert "training charlm/swiglu/all-2" in out
        assert (cells / "all-1/cell.json").read_bytes() == kept

    @pytest.mark.slow
    def test_a_second_pilot_trains_only_what_is_new(self, command: Any, study_file: Path) -> None:
        options = ("-c", study_file, "--iterations", 4, "--seeds")
        assert command("pilot", "charlm", *options, 2)[0] == 0
        code, out, _ = command("pilot", "charlm", *options, 3)
        assert code == 0
        assert "4 cells are done already" in out
        assert re.findall(r"^training (\S+)", out, re.M) == [
            "charlm/relu/all-3",
            "charlm/swiglu/all-3",
        ]

    def test_the_cells_of_a_pilot_are_no_foreign_files(
        self, command: Any, study_file: Path
    ) -> None:
        options = ("-c", study_file, "--iterations", 4, "--seeds", 2)
        assert command("pilot", "charlm", *options)[0] == 0
        result = verify(load_study(study_file))
        assert not [p for p in (*result.problems, *result.kept) if p.path.startswith("pilot")]

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("absent",), "no model 'absent'; allowed: charlm, big"),
            (("charlm", "--iterations", 9), "iterations: 9; allowed: 2 to 8"),
            (("charlm", "--iterations", 4, "--seeds", 4), "seeds: 4; allowed: 2 to 3"),
        ],
    )
    def test_what_the_study_does_not_have_is_refused(
        self, command: Any, study_file: Path, arguments: tuple, told: str
    ) -> None:
        code, _, err = command("pilot", *arguments, "-c", study_file)
        assert code == 1
        assert told in err


class TestPlan:
    def file(self, folder: Path, **keys: Any) -> Path:
        content = tiny_config(activations=["relu", "gelu"], results=str(folder / "out"))
        content |= {"seeds": [1, 2, 3, 4, 5], **keys}
        (folder / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
        return folder / "study.yaml"

    def pairs(self, folder: Path, noise: float) -> None:
        rng = np.random.default_rng(0)
        shares = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong", "flips")
        for activation in ("relu", "gelu"):
            rows = [
                {"model": "charlm", "activation": activation, "arm": "all", "step": 8}
                | {"seed_a": a, "seed_b": b}
                | dict.fromkeys(shares, 0.1)
                | dict.fromkeys(MEASURES, 0.5 + noise * float(rng.standard_normal()))
                for a, b in itertools.combinations(range(1, 6), 2)
            ]
            path = folder / "out/pairs/charlm" / activation / "all.parquet"
            write_table(path, pa.Table.from_pylist(rows, schema=PAIRS_SCHEMA))
        (folder / "out/study.json").write_text("{}", "utf-8")

    def test_without_results_it_takes_what_is_shipped(self, command: Any, tmp_path: Path) -> None:
        code, out, err = command("plan", "-c", self.file(tmp_path), "--directory", tmp_path)
        assert code == 0, err
        assert re.search(r"charlm +2 +5 +\d+\.\d% +\d+\.\d% +\d+\.\d% +reference", out)

    def test_with_results_it_takes_those(self, command: Any, tmp_path: Path) -> None:
        found = []
        for noise in (0.01, 0.05):
            self.pairs(tmp_path, noise)
            code, out, err = command("plan", "-c", self.file(tmp_path), "--directory", tmp_path)
            assert code == 0, err
            assert {"5", "seeds", "of", "earlier", "results"} <= set(out.split())
            found.append(float(re.search(r"charlm +2 +5 +(\d+\.\d)%", out)[1]))
        assert 3 * found[0] < found[1]

    @pytest.mark.parametrize(
        ("keys", "why"),
        [
            ({"seeds": [1, 2, 3]}, "3 seeds, a verdict needs 4"),
            ({"activations": ["relu"]}, "one activation"),
        ],
    )
    def test_what_cannot_be_planned_is_said(
        self, command: Any, tmp_path: Path, keys: dict[str, Any], why: str
    ) -> None:
        file = self.file(tmp_path, **keys)
        code, out, err = command("plan", "-c", file, "--directory", tmp_path)
        assert code == 0, err
        assert set(why.split()) <= set(out.split())
