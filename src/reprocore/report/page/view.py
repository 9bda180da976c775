"""What the page's template shows as it stands, without a script: sentences, tables and the text."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from reprocore.report.audit.table import SHOWN as SHOWN_LINES
from reprocore.report.audit.table import claim_counts, verdict_notes
from reprocore.report.figures.entries import ARM_WORDS, confidence_text, summary_entries
from reprocore.report.page.answer import Answer, Finding
from reprocore.report.page.payload import GLYPHS, contrast, level, looks
from reprocore.report.page.sentences import sentence
from reprocore.report.page.tables import (
    NOTHING,
    QUANTITIES,
    Row,
    Tables,
    finite,
    with_interval,
)
from reprocore.report.words import (
    CLAIM_VERDICTS,
    HOLDS_FOR,
    VERDICTS,
    flag_texts,
    gap_text,
    readable,
)
from reprocore.study.study import Study
from reprocore.vocabulary import ClaimVerdict, Family, Gap, Stratification, generalisation

BESIDE = ("relative_pd", "total_variation", "churn", "val_loss", "val_accuracy")


def view_of(tables: Tables, answer: Answer, text: Row, generated: Row) -> Row:
    """Return the names that the template knows."""
    study, first = tables.study, first_shown(tables)
    return {
        "title": study.title,
        "lead": sentence(answer.level[0]),
        "answer": [said(finding) for finding in (*answer.level[1:], *answer.activation)],
        "limits": [sentence(finding) for finding in answer.limits],
        "confidence": confidence_text(study),
        "measure": QUANTITIES[study.drawn_measure].heading,
        "holds": HOLDS_FOR[generalisation(study.drawn_measure)],
        "condition": study.statistics.primary.condition,
        "measures": {name: measure.heading for name, measure in QUANTITIES.items()},
        "drawn": study.drawn_measure,
        "model_options": [(model, model) for model in study.models],
        "activations": {name: readable(name) for name in study.studied_activations()},
        "marks": [
            (label, look.colour, GLYPHS.get(look.marker, "●")) for label, look in looks(study)
        ],
        "first": first,
        "levels": levels(tables),
        "level_heads": [QUANTITIES[name].heading for name in shown_measures(study)],
        "contrasts": contrasts(tables),
        "uncompared": uncompared(tables),
        "steps": bool(tables.drawn("steps")),
        "reference": reference_words(study),
        "passages": passages(tables, text, first),
        "kinds": kinds(tables, first),
        "written": written(generated, first),
        "crossed": crossed(tables),
        "sources": any(len(study.arms_of(model)) > 1 for model in study.models),
        "tuning": bool(tables.rows("tuning")),
        "early": any(map(tells, tables.drawn("early", measure=study.drawn_measure))),
        "audit": audit(tables),
        "verdicts": verdict_counts(tables),
        "claim_counts": claim_counts(tables.rows("audit")),
        "arms": arms(study),
    }


def said(finding: Finding) -> Row:
    """Return a sentence, and the verdict that stands before it, if any."""
    code = finding.data.get("verdict")
    return {"text": sentence(finding), "verdict": VERDICTS[code] if code else ""}


def shown_measures(study: Study) -> list[str]:
    """Return the measures of the table of levels, the drawn one first."""
    return list(dict.fromkeys([study.drawn_measure, *BESIDE]))


def first_shown(tables: Tables) -> Row:
    """Return the model and the activation of which text is shown at first: the first that ran."""
    study = tables.study
    ran = [(row["model"], row["activation"]) for row in tables.drawn("summary") if row["seeds"]]
    model, activation = ran[0] if ran else (next(iter(study.models)), study.activations[0])
    return {"model": model, "activation": activation, "label": readable(activation)}


def levels(tables: Tables) -> list[Row]:
    """Return the rows of the table of levels: every model and activation, run or not."""
    study = tables.study
    estimates = tables.tables["estimates"].to_pandas()
    summary = tables.tables["summary"].to_pandas()
    flags = {(r["model"], r["activation"]): flag_texts(r) for r in tables.drawn("summary")}
    names = shown_measures(study)
    rows = []
    for model in study.models:
        entries = [summary_entries(study, model, estimates, summary, name) for name in names]
        for of_activation in zip(*entries, strict=True):
            first = of_activation[0]
            shown = [level(entry) for entry in of_activation]
            rows.append(
                {
                    "model": model,
                    "label": readable(first.activation),
                    "seeds": f"{first.seeds} of {first.wanted}",
                    "cells": [(cell["text"], cell["estimate"], cell["why"]) for cell in shown],
                    "flags": "; ".join(flags.get((model, first.activation), [])),
                }
            )
    return rows


def contrasts(tables: Tables) -> list[Row]:
    """Return the rows of the table of contrasts as it stands at first."""
    measure = tables.study.drawn_measure
    rows = tables.drawn("contrasts", family=Family.REFERENCE, measure=measure)
    return [contrast(row) for row in rows]


def uncompared(tables: Tables) -> list[Row]:
    """Return the activations that no contrast of that table is about, with why."""
    study = tables.study
    about = {(row["model"], row[side]) for row in contrasts(tables) for side in ("first", "second")}
    estimates, summary = (tables.tables[name].to_pandas() for name in ("estimates", "summary"))
    return [
        {
            "model": model,
            "label": readable(entry.activation),
            "why": entry.why or gap_text(Gap.NOT_COMPARED),
        }
        for model in study.models
        for entry in summary_entries(study, model, estimates, summary, study.drawn_measure)
        if (model, entry.activation) not in about
    ]


def reference_words(study: Study) -> str:
    """Name the activation that others are compared with, of each model where they differ."""
    names = {model: readable(study.reference_of(model)) for model in study.models}
    if len({*names.values()}) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{name} in {model}" for model, name in names.items())


def passages(tables: Tables, text: Row, first: Row) -> list[Row]:
    """Return the text with the disagreement of each character, of the first that is shown."""
    if first["activation"] not in text["of"].get(first["model"], {}):
        return []
    rows = tables.rows("text", model=first["model"], activation=first["activation"], seed=None)
    shares = iter([row["disagreement"] for row in rows])
    number = iter(range(len(rows)))
    return [
        {
            "before": block["before"],
            "characters": [(next(number), c, next(shares)) for c in block["characters"]],
        }
        for block in text["blocks"]
    ]


def kinds(tables: Tables, first: Row) -> list[Row]:
    """Return the measures by kind of character, of the first that is shown."""
    rows = tables.drawn("strata", stratification=Stratification.KIND, **chosen(first))
    found: dict[str, Row] = {}
    for row in rows:
        words = row["stratum"].replace("_", " ")
        of_kind = found.setdefault(row["stratum"], {"kind": words, "positions": row["positions"]})
        of_kind[row["measure"]] = with_interval(row["estimate"], row["low"], row["high"])
    return list(found.values())


def tells(row: Row) -> bool:
    """Return whether a correlation of an early sign is known any better than not at all."""
    low, high = finite(row["low"]), finite(row["high"])
    return low is not None and high is not None and (low > -1 or high < 1)


def arms(study: Study) -> list[str]:
    """Return what follows the seed, once if it is the same for all models."""
    words = {model: ARM_WORDS[study.primary_arm(model)] for model in study.models}
    if len({*words.values()}) == 1:
        return [next(iter(words.values()))]
    return [f"{text} ({model})" for model, text in words.items()]


def chosen(first: Row) -> Row:
    """Return the model and the activation alone."""
    return {name: first[name] for name in ("model", "activation")}


def written(generated: Row, first: Row) -> Row | None:
    """Return what the first two seeds have written; None where there are no two."""
    of_seeds = generated["of"].get(first["model"], {}).get(first["activation"], {})
    seeds = list(of_seeds)[:2]
    if len(seeds) < 2:
        return None
    rows = zip(generated["prompts"], *(of_seeds[seed] for seed in seeds), strict=True)
    return {"seeds": seeds, "rows": list(rows)}


def crossed(tables: Tables) -> list[Row]:
    """Return how far swapping two activations moves predictions, against training again."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in tables.drawn("cross", measure=tables.study.drawn_measure):
        if row["activation_a"] == row["activation_b"]:
            continue
        key = row["model"], row["activation_a"], row["activation_b"]
        names = [readable(name) for name in key[1:]]
        of_pair = found.setdefault(key, {"model": key[0], "pair": " and ".join(names)})
        place = "same" if row["same_seed"] else "other"
        of_pair[place] = with_interval(row["ratio"], row["ratio_low"], row["ratio_high"])
        of_pair["seeds"] = row["seeds"]
    return list(found.values())


def audit(tables: Tables) -> list[Row]:
    """Return the rows of the audit: at most so many lines of what decides a claim, and the rest."""
    return [
        {
            **{name: row[name] for name in ("claim", "source", "reported")},
            "code": row["verdict"],
            "verdict": CLAIM_VERDICTS[ClaimVerdict(row["verdict"])],
            "notes": verdict_notes(row),
            "measured": lines(row["measured"]),
            "reason": lines(row["reason"]),
        }
        for row in tables.rows("audit")
    ]


def lines(text: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return the first lines of a text, and the others."""
    several = text.split("\n") if text else [NOTHING]
    return several[:SHOWN_LINES], several[SHOWN_LINES:]


def verdict_counts(tables: Tables) -> list[tuple[str, str, int]]:
    """Return code, words and number of claims of each verdict."""
    counts: Counter[Any] = Counter(row["verdict"] for row in tables.rows("audit"))
    return [(code, words, counts[code]) for code, words in CLAIM_VERDICTS.items()]
