"""The page of predictions of one's own: what `reprocore compare` finds, as far as it goes."""

from pathlib import Path

from reprocore.report.comparison import SCORES, Tables, interval_words, records, verdict_text
from reprocore.report.page.charts import specifications
from reprocore.report.page.payload import measure_words, packed
from reprocore.report.page.tables import QUANTITIES, Row, percent, with_interval
from reprocore.report.page.write import write_html
from reprocore.report.words import VERDICTS, notice_text, reason_texts
from reprocore.vocabulary import PAIR_MEASURES, Family, counted


def write_own_page(tables: Tables, confidence: float, title: str, out: str | Path) -> None:
    """Write the page of a comparison, atomically.

    Args:
        tables: `models`, `pairs`, `estimates`, `contrasts`, `verdicts` and `notices` of one step,
            as `reprocore.Reproducibility` has them.
        confidence: of the intervals, in 0–1.
        title: above the heading; any text.
        out: the file.

    Raises:
        ReprocoreError: the file cannot be written.
    """
    pairs = list(records(tables["pairs"]))
    drawn = [name for name in PAIR_MEASURES if pairs and pairs[0].get(name) is not None]
    groups = list(dict.fromkeys(tables["models"]["group"]))
    view = {
        "title": title,
        "leads": _leads(tables),
        "answer": [verdict_text(row) for row in records(tables["verdicts"])],
        "notices": [notice_text(row) for row in records(tables["notices"])],
        "confidence": f"{100 * confidence:.6g}%",
        "holds": interval_words(tables["estimates"]),
        "measures": {name: QUANTITIES[name].heading for name in drawn},
        "drawn": drawn[0] if drawn else None,
        "groups": groups,
        "paired": [(name, name) for name in groups],
        "levels": _levels(tables),
        "contrasts": [
            _contrast(row)
            for row in records(tables["contrasts"])
            if row["family"] == Family.REFERENCE
        ],
        "models": [(row["group"], row["model"], row["seed"]) for row in records(tables["models"])],
    }
    write_html(out, "own.html", view, _payload(pairs, drawn), ("own.js",))


def _leads(tables: Tables) -> list[str]:
    """Say for each group how often two of its models name another likeliest symbol."""
    sizes = tables["models"]["group"].value_counts()
    return [
        f"Two of the {counted(int(sizes[row['group']]), 'model')} of {row['group']} name another "
        f"likeliest outcome at {percent(row)} of the positions, on average over pairs."
        for row in records(tables["estimates"])
        if row["measure"] == "churn"
    ]


def _levels(tables: Tables) -> list[Row]:
    """Return one row per measure: its level in each group, and why one has no interval."""
    rows: dict[str, Row] = {}
    for row in records(tables["estimates"]):
        name = str(row["measure"])
        own = rows.setdefault(name, {"measure": _name(name), "levels": {}, "notes": {}})
        own["levels"][row["group"]] = with_interval(row["estimate"], row["low"], row["high"])
        if row["low"] is None:
            own["notes"][row["group"]] = "; ".join(reason_texts(row))
    return list(rows.values())


def _name(measure: str) -> str:
    if measure in SCORES:
        return measure
    return QUANTITIES[measure].heading


def _contrast(row: Row) -> Row:
    return {
        "measure": _name(str(row["measure"])),
        "first": row["first"],
        "second": row["second"],
        "ratio": with_interval(row["ratio"], row["ratio_low"], row["ratio_high"]),
        "p": row["p_adjusted"],
        "verdict": VERDICTS[row["verdict"]],
        "exploratory": row["exploratory"],
        "note": "; ".join(reason_texts(row)),
    }


def _payload(pairs: list[Row], measures: list[str]) -> Row:
    kept = ("group", "model_a", "model_b", *measures)
    return {
        "measures": {name: measure_words(QUANTITIES[name]) for name in measures},
        "specifications": {"heat": specifications([])["heat"]},
        "pairs": packed({name: row[name] for name in kept} for row in pairs),
    }
