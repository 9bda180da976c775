"""The command line as a whole: its one-line errors, texts of others, and how it starts."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import rewrite
from reprocore.study.cells import Cell

ARGUMENTS = {
    "no such command": ("statu",),
    "no such option": ("status", "--colour"),
    "an option without its value": ("status", "-c"),
    "a missing argument": ("train",),
    "an argument too many": ("status", "charlm"),
    "no number": ("pilot", "charlm", "--iterations", "many"),
    "half a number": ("pilot", "charlm", "--seeds", "2.5"),
    "too few": ("pilot", "charlm", "--iterations", "1"),
    "a folder for a file": ("status", "-c", "."),
    "an empty name": ("status", "-c", ""),
    "a cell of nowhere": ("train", "../../etc/passwd"),
    "no cell": ("sample", ""),
    "a temperature of nan": ("sample", "charlm/relu/1", "--temperature", "nan"),
    "an infinite temperature": ("sample", "charlm/relu/1", "--temperature", "inf"),
    "no text": ("sample", "charlm/relu/1", "--length", "0"),
    "a seed below 0": ("sample", "charlm/relu/1", "--seed", "-1"),
    "an empty prompt": ("sample", "charlm/relu/1", "--prompt", ""),
    "a text that is not there": ("pilot", "charlm", "--iterations", "4"),
}


class TestBadInput:
    @pytest.mark.parametrize("case", ARGUMENTS)
    def test_a_bad_argument_is_one_line(self, command: Any, study_file: Path, case: str) -> None:
        rewrite(study_file, corpus={"source": "file", "path": "absent.txt"})
        Path("config").mkdir()
        study_file.rename("config/config.yaml")
        code, out, err = command(*ARGUMENTS[case])
        assert code in (1, 2), out
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Input should" not in err

    def test_a_refused_command_says_where_to_read_on(self, command: Any) -> None:
        _, _, err = command("statu")
        assert err == (
            "error: no such command 'statu'; did you mean 'status'? see reprocore --help\n"
        )
        _, _, err = command("pilot", "charlm", "--iterations", "x")
        assert err == (
            "error: invalid value for '--iterations': must be a whole number; "
            "see reprocore pilot --help\n"
        )

    def test_results_among_other_files_are_refused_by_every_command(
        self, command: Any, study_file: Path
    ) -> None:
        Path("src").mkdir()
        Path("src/module.py").write_text("")
        rewrite(study_file, results="src")
        for name in (("status",), ("verify",), ("train", "charlm/relu/1")):
            code, out, err = command(*name, "-c", study_file)
            assert (code, out, err.count("\n")) == (1, "", 1)
            assert "is in src, a folder of the project itself" in err
        assert [*Path("src").iterdir()] == [Path("src/module.py")]

    def test_the_corpus_is_made_by_the_command_that_is_named(
        self, command: Any, study_file: Path
    ) -> None:
        Path("out/corpus/tokens.parquet").unlink()
        _, _, err = command("train", "charlm/relu/1", "-c", study_file, "--force")
        assert "out/corpus/tokens.parquet: no such file; make it with: snakemake " in err
        made = shlex.split(err.partition("make it with: ")[2])
        assert made[1].endswith("out/corpus/probe.parquet")
        assert made[2] == "--configfile"

    def test_a_missing_config_is_named(self, command: Any, tmp_path: Path) -> None:
        code, _, err = command("status", "-c", tmp_path / "absent.yaml")
        assert code == 1
        assert err == f"error: {tmp_path / 'absent.yaml'}: no such file\n"


HOSTILE = "study [/red] \x1b[31mred\u202e :smile: [link=x]\x07"
SHOWN = r"study [/red] \x1b[31mred\u202e :smile: [link=x]\x07"


class TestTextOfOthers:
    @pytest.mark.parametrize("name", ["status", "verify"])
    def test_a_title_is_printed_as_it_is(self, command: Any, study_file: Path, name: str) -> None:
        rewrite(study_file, title=HOSTILE)
        _, out, err = command(name, "-c", study_file)
        assert SHOWN in " ".join(out.split())
        assert err == ""
        assert not {"\x1b", "\x07", "\u202e"} & {*out}

    def test_a_reason_is_printed_as_it_is(self, command: Any, study_file: Path) -> None:
        failed = Cell("charlm", "relu", "all", 2).folder("out") / "failed.json"
        failed.write_text(json.dumps({"reason": f"[bold]{HOSTILE}"}))
        _, out, _ = command("status", "-c", study_file)
        assert f"failed charlm/relu/all-2: [bold]{SHOWN}" in out

    def test_a_path_is_printed_as_it_is(self, command: Any, study_file: Path) -> None:
        Path("out/pairs").mkdir()
        (Path("out/pairs") / "a\x1b[2J[red]\nb\udcff").write_text("")
        _, out, _ = command("verify", "-c", study_file)
        assert r"out/pairs/a\x1b[2J[red]" in out
        assert "\x1b" not in out
        for arguments in (("compare", "a\x1b[2J"), ("status", "-c", "a\x1b[2J"), ("a\x1b[2J",)):
            code, _, err = command(*arguments)
            assert code != 0
            assert r"a\x1b[2J" in err
            assert "\x1b" not in err

    @pytest.mark.slow
    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_a_terminal_without_unicode_is_enough(self, study_file: Path, encoding: str) -> None:
        rewrite(study_file, title="Étude № 5 μ")
        for name in ("status", "verify"):
            done = subprocess.run(
                [sys.executable, "-m", "reprocore", name, "-c", study_file],
                capture_output=True,
                env={**os.environ, "PYTHONIOENCODING": encoding},
            )
            assert done.stderr == b""
            assert "tude" in done.stdout.decode(encoding)
            if name == "status" and encoding != "utf-8":
                assert re.search(
                    r"charlm +\| relu +\| all +\| \+ x \. ", done.stdout.decode(encoding)
                )

    @pytest.mark.slow
    def test_a_reader_that_ends_early_is_no_error(self, study_file: Path) -> None:
        line = f"{sys.executable} -m reprocore verify -c {study_file} | true"
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


class TestProgram:
    def test_it_says_its_version(self, command: Any) -> None:
        code, out, _ = command("--version")
        assert code == 0
        assert re.fullmatch(r"reprocore \d+\.\d+\.\d+\S*\n", out)

    def test_it_runs_as_a_module(self) -> None:
        line = [sys.executable, "-m", "reprocore", "--help"]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert "Usage: reprocore " in done.stdout

    def test_a_shell_completes_it(self, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
        _, out, _ = command("--show-completion", "bash")
        assert "complete -o default -F _reprocore_completion reprocore" in out
        asked = {"_REPROCORE_COMPLETE": "complete_bash", "COMP_WORDS": "reprocore st"}
        line = [sys.executable, "-m", "reprocore"]
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            env={**os.environ, **asked, "COMP_CWORD": "1"},
        )
        assert done.stdout.split() == ["status"]

    def test_without_a_command_it_prints_its_help(self, command: Any) -> None:
        code, out, err = command()
        assert code == 2
        assert "Usage: reprocore" in out + err


HEAVY = {"matplotlib", "numpy", "pandas", "pyarrow", "scipy", "snakemake", "torch"}


@pytest.mark.parametrize(
    ("module", "heavy"), [("cli", HEAVY | {"pydantic"}), ("pipeline.printing", HEAVY)]
)
def test_help_and_status_import_nothing_heavy(module: str, heavy: set[str]) -> None:
    code = f"import sys, reprocore.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & {*done.stdout.split()}
