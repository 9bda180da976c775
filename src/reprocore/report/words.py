"""The only place where codes become words, for text, figures and the command line.

A template may name any number of the row that holds its code; `{seeds_text}` is that number with
its noun. The audit's facts have words of their own, in `reprocore.report.audit.table`.
"""

from collections.abc import Mapping
from typing import Any

from reprocore.kinds import Notice
from reprocore.statistics.over_models import LEAST_MODELS
from reprocore.statistics.spread import LEAST_SEEDS_OF_CV_VALUES
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, LEAST_SEEDS_OF_A_TEST
from reprocore.study.study import Study
from reprocore.vocabulary import (
    ACTIVATIONS,
    ClaimVerdict,
    Condition,
    ContrastVerdict,
    Flag,
    Gap,
    Generalisation,
    Method,
    Reason,
    counted,
    generalisation,
    smelu_beta,
    split_codes,
)

Row = Mapping[Any, Any]

CONDITIONS = {Condition.FINAL: "final", Condition.MATCHED_LOSS: "matched loss"}
PLACES = {Condition.FINAL: "at the last step", Condition.MATCHED_LOSS: "at matched loss"}
EXPLORATORY = "exploratory"
HOLDS_FOR = {
    Generalisation.SEEDS_AND_TEXT: "for new seeds and new text",
    Generalisation.SEEDS: "for new seeds on the same text",
}

# Of predictions of one's own, which have models and data where a study has seeds and text.
DATA_FOR = {
    Generalisation.SEEDS_AND_TEXT: "for new models and new data",
    Generalisation.SEEDS: "for new models on the same data",
}
METHODS = {
    Method.CLOSED_TEST: "paired by seed, closed test",
    Method.PAIRED: "paired by seed, Holm",
    Method.WELCH: "not paired (Welch, Holm)",
}

VERDICTS = {
    ContrastVerdict.MORE_REPRODUCIBLE: "more reproducible",
    ContrastVerdict.LESS_REPRODUCIBLE: "less reproducible",
    ContrastVerdict.LOWER: "lower",
    ContrastVerdict.HIGHER: "higher",
    ContrastVerdict.EQUIVALENT: "equivalent",
    ContrastVerdict.UNDECIDED: "undecided",
}

CLAIM_VERDICTS = {
    ClaimVerdict.SUPPORTED: "supported",
    ClaimVerdict.REFUTED: "refuted",
    ClaimVerdict.UNDECIDED: "undecided",
    ClaimVerdict.NOT_MEASURED: "not measured",
}

REASONS = {
    Reason.NOT_A_NUMBER: "not a number",
    Reason.INFINITE: "infinite",
    Reason.NOT_FINITE: "a value is not finite",
    Reason.PAST_MATCHED_LOSS: "already past that loss at the first stored step",
    Reason.ONE_SEED: "{seeds_text}, needs 2",
    Reason.ONE_BLOCK: "one block of text: nothing is known for new text",
    Reason.NO_VARIATION: "nothing varies",
    Reason.ON_A_BOUND: "the level is the least or the most that there can be",
    Reason.FEW_SEEDS: f"{{seeds_text}}, needs {LEAST_SEEDS}",
    Reason.FEW_SHARED_SEEDS: f"{{seeds_text}} shared, needs {LEAST_SEEDS}",
    Reason.NO_SHARED_SEED: "no seed is shared",
    Reason.CONSTANT_DIFFERENCE: "the difference is the same for every seed: no t test",
    Reason.CONSTANT_RATIO: "the ratio of a model is the same for every seed: no chance is known",
    Reason.NO_RATIO: "a mean is not above 0: no ratio",
    Reason.FEW_SEEDS_FOR_TEST: f"{{seeds_text}}, a verdict needs {LEAST_SEEDS_OF_A_TEST}",
    Reason.NOT_DECLARED: "not the measure and condition that seeds are planned for",
    Reason.WITHIN_MARGIN: "different, yet within the margin of equivalence",
    Reason.ONE_ACTIVATION: "one activation: nothing to compare",
    Reason.ZERO_MEAN: "the mean is 0: no CV",
    Reason.ALL_ALIKE: "all activations alike at one time: no order",
    Reason.FEW_MODELS: "{models:.0f} models with {seeds_text}, needs "
    f"{LEAST_MODELS} models with {LEAST_SEEDS_OF_CV_VALUES} seeds",
    Reason.ALIKE_MODELS: "the models do not differ clearly in it",
    Reason.NO_MODELS: "no models",
    Reason.MODELS_WITHOUT_RATIO: "{models:.0f} of {models_total:.0f} models have a ratio",
    Reason.WHOLE_NOT_RUN: "the arm `all` has not run",
    Reason.WHOLE_NOT_POSITIVE: "the arm `all` has no difference above 0, or one is infinite",
    Reason.WHOLE_NOT_CLEAR: "the arm `all` is not clearly above 0: no interval",
    Reason.RETRAINING_NOT_CLEAR: "trainings with the same activation are not clearly apart",
    Reason.PART_OF_SEEDS: "compared on {seeds:.0f} shared seeds, of {seeds_first:.0f} and "
    "{seeds_second:.0f}",
    Reason.UNPAIRED: "{seeds_shared:.0f} of {seeds_first:.0f} and {seeds_second:.0f} seeds "
    "shared: compared as unpaired",
    Reason.SEEDS_NOT_NAMED: "seeds are not named: compared as unpaired",
    Reason.ONLY_COMMON_SEEDS: "on {seeds:.0f} seeds that all share, of {seeds_most:.0f}",
}

NOTICES = {
    Notice.UNDERFLOW: "{subject}: of its relative PD of {relative_pd:.4f}, {part:.4f} come from "
    "float16 numbers that are 0 in one of two models and not in the other, where relative PD "
    "counts 2 whatever is missing; at {both:.1%} both are 0, where it counts 0. "
    "Store float32, or logits",
    Notice.PADDED: "{subject}: documents have different numbers of choices; one that a document "
    "does not have counts as a choice of probability 0",
    Notice.NOT_PAIRED: "seeds are not named: groups are compared as unpaired; name seeds by "
    "`--seeds`, a manifest, or `seeds=`",
    Notice.NO_TARGETS: "no targets: no loss, no accuracy",
}

FLAGS = {
    Flag.NOT_RUN: "not run",
    Flag.MISSING_SEEDS: "missing seeds: {missing_seeds}",
    Flag.NO_PAIR: "no pair of seeds",
    Flag.NO_INTERVAL: "no interval: {reasons}",
    Flag.ABOVE_UNIGRAM: "{cells_above_unigram} of {seeds} not below unigram entropy",
    Flag.MIXED_MACHINES: "cells of different machines or torch versions",
    Flag.MIXED_CODE: "cells of different code",
    Flag.RATE_AT_END: "learning rate chosen at an end of the grid",
}

GAPS = {
    Gap.NOT_RUN: "not run",
    Gap.MISSING: "missing",
    Gap.NO_PAIR: "1 seed: no pair",
    Gap.NOT_A_NUMBER: "not a number",
    Gap.INFINITE: "infinite",
    Gap.NOT_COMPARED: "not compared",
    Gap.NO_RATIO: "no model has a ratio",
    Gap.WHOLE_MISSING: "all: missing",
    Gap.FEW_SHARED_SEEDS: "{shared_seeds}",
    Gap.NO_SHARE: "no share",
    Gap.NO_DROPOUT: "no dropout",
}


def readable(activation: str) -> str:
    """Return the name for a reader: `smelu_05` is `SmeLU β=0.5`; a custom name stays as it is."""
    beta = smelu_beta(activation)
    if beta is not None:
        return f"{'SmeGLU' if activation.startswith('smeglu') else 'SmeLU'} β={beta:g}"
    return ACTIVATIONS[activation].label if activation in ACTIVATIONS else activation


def p_text(p: float | None) -> str:
    """Write a p-value; none that a test gives is shown as 0."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def reason_texts(row: Row) -> list[str]:
    """Return the words for the codes in a row's `reason`, with the row's numbers filled in."""
    texts = {"seeds_text": counted(row["seeds"], "seed")} if "seeds" in row else {}
    numbers = {**row, **texts}
    return [REASONS[code].format_map(numbers) for code in split_codes(row["reason"], Reason)]


def notice_text(row: Row) -> str:
    """Return the words for a row of the notices of groups."""
    part = 2 * row["one"] if row["one"] is not None else None
    return NOTICES[row["notice"]].format_map(
        {**row, "part": part, "subject": row["subject"] or "these models"}
    )


def flag_texts(row: Row) -> list[str]:
    """Return the words for the codes in the `flags` of a row of the summary."""
    data = {**row, "reasons": ", ".join(reason_texts(row))}
    return [FLAGS[code].format_map(data) for code in split_codes(row["flags"], Flag)]


def place_text(study: Study, condition: Condition) -> str:
    """Return where the drawn measure is compared, and whether that was declared beforehand."""
    primary, place = study.statistics.primary, PLACES[condition]
    declared = (primary.measure, primary.condition) == (study.drawn_measure, condition)
    return place if declared else f"{place} ({EXPLORATORY})"


def holds_for(quantity: str) -> str:
    """Return what the interval of a level holds for."""
    return HOLDS_FOR[generalisation(quantity)]


def gap_text(gap: Gap | None, seeds: int = 0) -> str:
    """Return the words for why there is no number; "" if there is one.

    Args:
        gap: the code.
        seeds: that the number would rest on.
    """
    return "" if gap is None else GAPS[gap].format(shared_seeds=counted(seeds, "shared seed"))


def pilot_text(row: Row, budget: float) -> str:
    """Say what a pilot's sensitivity means for the full run."""
    if row["low"] is None:
        return f"No recommendation: {'; '.join(reason_texts(row))}."
    p = row["p_omnibus"]
    chance = "too few seeds for a test" if p is None else f"p {p_text(p)}"
    spread = (
        f"After {budget:.0%} of the training the activations differ by a CV of "
        f"{row['corrected']:.1f}% [{row['low']:.1f}, {row['high']:.1f}] beyond seed noise "
        f"({chance}). "
    )
    if row["low"] > 0:
        return (
            spread
            + "They differ by then; only the full study can say whether that lasts to the end."
        )
    most = row["high"]
    return spread + (
        f"No difference is visible, and one of up to {most:.1f}% is not excluded: before choosing "
        "an activation by it, train longer or with more seeds."
    )
