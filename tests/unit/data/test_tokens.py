"""A text as tokens: there and back, its splits and entropy, and the file that holds it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import sha256, small_corpus
from hypothesis import given
from hypothesis import strategies as st

from conftest import one_line
from reprocore.data.tokens import decode, encode, read_corpus, unigram_entropy, write_corpus
from reprocore.errors import ReprocoreError


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
        assert told in one_line(error)


class TestUnigramEntropy:
    @pytest.mark.parametrize(
        ("text", "shares"), [("aaabab", [4 / 6, 2 / 6]), ("abcd" * 5, [1 / 4] * 4)]
    )
    def test_by_hand(self, text: str, shares: list[float]) -> None:
        wanted = -np.dot(shares, np.log(shares))
        assert unigram_entropy(encode(text, 0.7)) == pytest.approx(wanted)


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
        assert str(path) in one_line(error)

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
        assert str(path) in one_line(error)

    def test_missing_values(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.parquet"
        split = pa.array(["train", "validation"]).dictionary_encode()
        pq.write_table(pa.table({"token": pa.array([1, None], pa.uint16()), "split": split}), path)
        with pytest.raises(ReprocoreError) as error:
            read_corpus(path)
        assert "missing values" in one_line(error)
