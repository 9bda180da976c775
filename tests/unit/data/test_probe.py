"""The probe: its blocks, the windows that are read for it, its hash, and its file."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import sha256, small_corpus
from hypothesis import given
from hypothesis import strategies as st

from conftest import one_line
from reprocore.data.probe import Probe, build_probe, read_probe, windows, write_probe
from reprocore.data.tokens import Corpus, decode, write_corpus
from reprocore.errors import ReprocoreError


def small_probe(corpus: Corpus | None = None, **sizes: int) -> Probe:
    """Return 4 blocks of 8 characters, unless `sizes` say otherwise."""
    chosen = {"context": 8, "positions": 32, "block": 8} | sizes
    return build_probe(corpus or small_corpus(), **chosen)


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
            assert "divide" in one_line(error)
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

    @pytest.mark.parametrize(
        ("size", "context", "told"),
        [
            (1000, 16, "a context of 16 begins 1 characters before"),
            (1000, 0, "the context is 0"),
            (1000, -4, "the context is -4"),
            (1002, 8, "the probe is of the corpus"),
        ],
    )
    def test_bad_windows(self, size: int, context: int, told: str) -> None:
        windows(small_corpus(), small_probe(), 15)  # still fits
        with pytest.raises(ReprocoreError) as error:
            windows(small_corpus(size), small_probe(), context)
        assert told in one_line(error)

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
        assert told in one_line(error)

    def test_hash_tells_probes_apart(self) -> None:
        probes = [
            small_probe(),
            small_probe(context=9),
            small_probe(positions=40),
            small_probe(block=4),
            small_probe(small_corpus(1002)),
        ]
        assert len({probe.hash for probe in probes}) == len(probes)
        assert small_probe(context=0).hash == probes[0].hash

    def test_hash_is_fixed(self) -> None:
        probe = small_probe()
        parts = np.array([32, 8], "<i8").tobytes() + probe.positions.astype("<i8").tobytes()
        parts += probe.targets.astype("<u2").tobytes() + probe.corpus_sha256.encode()
        symbols = "[" + ", ".join(f'"{symbol}"' for symbol in probe.symbols) + "]"
        assert probe.hash == sha256(parts + symbols.encode())


class TestProbeFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "probe.parquet"
        write_probe(path, small_probe())
        return path

    def test_round_trip(self, path: Path) -> None:
        probe, found = small_probe(), read_probe(path)
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
        assert str(path) in one_line(error)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ReprocoreError) as error:
            read_probe(tmp_path / "probe.parquet")
        assert "no such file" in one_line(error)

    def test_a_corpus_is_no_probe(self, path: Path) -> None:
        write_corpus(path, small_corpus())
        with pytest.raises(ReprocoreError) as error:
            read_probe(path)
        assert "'position' is missing" in one_line(error)

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
        assert str(path) in one_line(error)
