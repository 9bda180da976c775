"""The probe's text and what was generated, packed for the page."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reprocore.data.tokens import Corpus, decode
from reprocore.errors import visible
from reprocore.report.page.tables import Row, Tables
from reprocore.store.readers import read_continuations

# Characters of context that stand before a passage, and passages of generated text of each cell.
BEFORE, PASSAGES = 60, 6
RANKS = ("first", "second", "third")
_PROBABILITIES = (*(f"p_{name}" for name in RANKS), "probability")


def packed_text(tables: Tables, corpus: Corpus) -> Row:
    """Return the text with its predictions: numbers from 0 to 1 as bytes, characters as indices.

    Returns:
        `blocks`: what stands before each block, and its characters; `symbols`: the characters
        that are predicted; `of`: by model and activation the seeds, and in base64 the indices
        [M+1, N, 3] and probabilities [M+1, N, 4], the true character's last, of the mean and then
        of each seed, the disagreement [N] and the total variation [N] of the seeds.
    """
    frame: pd.DataFrame = tables.tables["text"].to_pandas()
    if frame.empty:
        return {"blocks": [], "symbols": [], "wide": False, "of": {}}
    symbols = sorted({s for name in RANKS for s in frame[name].dropna()})
    index = {symbol: number for number, symbol in enumerate(symbols)}
    wide = len(symbols) > 256
    of: dict[str, dict[str, Row]] = {}
    for (model, activation), rows in frame.groupby(["model", "activation"], sort=False):
        of.setdefault(str(model), {})[str(activation)] = _packed(rows, index, wide)
    first = frame[(frame["model"] == frame["model"].iloc[0]) & frame["seed"].isna()]
    first = first[first["activation"] == first["activation"].iloc[0]]
    shown_symbols = [shown(symbol) for symbol in symbols]
    return {"blocks": _blocks(first, corpus), "symbols": shown_symbols, "wide": wide, "of": of}


def shown(character: str) -> str:
    """Return a character so that it is seen: a line's end as a sign, a steering one as a code."""
    return "↵\n" if character == "\n" else visible(character, kept="")


def _blocks(mean: pd.DataFrame, corpus: Corpus) -> list[Row]:
    return [
        {
            "before": before(corpus, int(rows["position"].iloc[0])),
            "characters": [shown(character) for character in rows["character"]],
        }
        for _, rows in mean.groupby("block")
    ]


def before(corpus: Corpus, position: int, length: int = BEFORE) -> str:
    """Return the characters of the corpus before a position."""
    words = decode(corpus.tokens[max(position - length, 0) : position], corpus.symbols)
    # It begins with a whole word, where there is one.
    return visible(words[1 + min((words.find(gap) for gap in " \n" if gap in words), default=-1) :])


def _packed(rows: pd.DataFrame, index: Mapping[str, int], wide: bool) -> Row:
    of_mean = rows["seed"].isna()
    ids = np.stack([rows[name].map(index).fillna(0).to_numpy() for name in RANKS], axis=1)
    return {
        "seeds": [int(seed) for seed in rows["seed"].dropna().drop_duplicates()],
        "ids": _base64(ids.astype("<u2" if wide else "u1")),
        "probabilities": _bytes(rows[list(_PROBABILITIES)]),
        "disagreement": _bytes(rows.loc[of_mean, "disagreement"]),
        "total_variation": _bytes(rows.loc[of_mean, "total_variation"]),
    }


def _bytes(shares: pd.DataFrame | pd.Series) -> str:
    """Pack numbers from 0 to 1, 255 for 1; what is missing as 0."""
    return _base64(np.rint(255 * np.nan_to_num(shares.to_numpy(dtype=float))).astype("u1"))


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def generated(paths: Iterable[str | Path], corpus: Corpus) -> Row:
    """Return some passages that cells have written, by model, activation and seed.

    Args:
        paths: continuations of the cells of the drawn arms.
        corpus: that the prompts are of.
    """
    of: dict[str, dict[str, dict[str, list[str]]]] = {}
    prompts: Sequence[str] = []
    for path in paths:
        cell, table = read_continuations(path)
        chosen = [round(k) for k in np.linspace(0, len(table) - 1, min(PASSAGES, len(table)))]
        rows = table.take(chosen)
        prompts = prompts or [before(corpus, at) for at in rows["position"].to_pylist()]
        seeds = of.setdefault(cell.model, {}).setdefault(cell.activation, {})
        seeds[str(cell.seed)] = [visible(text) for text in rows["continuation"].to_pylist()]
    return {"prompts": prompts, "of": of}
