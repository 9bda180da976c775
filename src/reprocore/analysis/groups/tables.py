"""The tables of groups, by the functions that make a study's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from reprocore.analysis.groups.inputs import Group, Inputs
from reprocore.analysis.groups.passes import BLOCKS, Measured, Survey
from reprocore.analysis.per_model import closer
from reprocore.analysis.rows import Row, result_row
from reprocore.analysis.strata import LOSS, stratum_divergences, stratum_loss
from reprocore.kinds import LABEL_MEASURES, Notice, OutputKind
from reprocore.statistics.agreement import means_by_part
from reprocore.statistics.checks import Floats
from reprocore.statistics.contrasts import Contrast, Margin, SeedValues, contrasts
from reprocore.statistics.jackknife import Estimate, pair_matrix
from reprocore.statistics.levels import (
    Level,
    level_of_pairs,
    level_of_seeds,
    level_on_this_text,
    score_on_this_text,
    seed_means,
    with_sizes,
)
from reprocore.vocabulary import (
    COMPLEMENTS,
    MARGINS,
    PAIR_MEASURES,
    SCORES,
    Family,
    Generalisation,
    Reason,
    Stratification,
    bounds_of,
)

# What a study calls by the text that it is measured on; of arrays nobody knows that.
NAMES = {"val_loss": LOSS, "val_accuracy": "accuracy"}
_BETWEEN_GROUPS = 2**32


def quantities_of(inputs: Inputs, measured: Mapping[str, Measured]) -> list[str]:
    """Return the scores and measures that can be had, in the order of the vocabulary."""
    first = next(iter(measured.values()))
    found = [*first.scores, *(name for name in PAIR_MEASURES if name in first.values)]
    if _labels(inputs):
        found = [name for name in found if name in ("val_accuracy", *LABEL_MEASURES)]
    return found


def model_rows(inputs: Inputs, measured: Mapping[str, Measured]) -> Iterator[Row]:
    """Yield each model with its loss and accuracy."""
    scores = [name for name in quantities_of(inputs, measured) if name in SCORES]
    for group in inputs.groups:
        for index, source in enumerate(group.sources):
            row: Row = {"group": group.name, "model": source.name}
            row["seed"] = group.seeds[index] if group.seeds else None
            own = measured[group.name].scores
            yield row | {NAMES[name]: float(own[name][index].mean()) for name in scores}


def pair_rows(inputs: Inputs, measured: Mapping[str, Measured]) -> Iterator[Row]:
    """Yield the measures of each pair of models."""
    wanted = quantities_of(inputs, measured)
    shares = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")
    for group in inputs.groups:
        own = measured[group.name]
        for index, (i, j) in enumerate(own.pairs.tolist()):
            row: Row = {"group": group.name}
            row |= {"model_a": group.sources[i].name, "model_b": group.sources[j].name}
            if group.seeds:
                row |= {"seed_a": group.seeds[i], "seed_b": group.seeds[j]}
            for name in (*wanted, *shares):
                if name in own.values and not np.isnan(own.values[name][index]):
                    row[name] = float(own.values[name][index])
            yield row


def estimate_rows(
    inputs: Inputs, measured: Mapping[str, Measured], confidence: float
) -> Iterator[Row]:
    """Yield each quantity of each group with its interval."""
    for group in inputs.groups:
        own = measured[group.name]
        for name in quantities_of(inputs, measured):
            level, over_text = _level(inputs, own, name, confidence)
            yield {
                "group": group.name,
                "measure": NAMES.get(name, name),
                "pairs": 0 if name in SCORES else len(own.pairs),
                "generalisation": Generalisation.SEEDS_AND_TEXT
                if over_text
                else Generalisation.SEEDS,
                **result_row(level),
            }


def _level(inputs: Inputs, own: Measured, name: str, confidence: float) -> tuple[Level, bool]:
    """Return a level, and whether it is for new text too."""
    settings = bounds_of(name), confidence
    blocks = inputs.blocks
    if name in SCORES:
        if blocks is None:
            return score_on_this_text(own.scores[name].mean(axis=1), *settings), False
        means = means_by_part(own.scores[name], blocks)
        return level_of_seeds(with_sizes(means, np.bincount(blocks)), *settings), True
    if blocks is not None and name in own.parts[BLOCKS]:
        means = seed_means(own.pairs, own.parts[BLOCKS][name])
        return level_of_pairs(with_sizes(means, np.bincount(blocks)), *settings), True
    return level_on_this_text(pair_matrix(own.pairs, own.values[name])[1], *settings), False


def contrast_rows(
    inputs: Inputs,
    measured: Mapping[str, Measured],
    reference: str,
    primary: str,
    confidence: float,
) -> Iterator[Row]:
    """Yield the contrasts of each quantity, of all groups with the reference and of all pairs."""
    if len(inputs.groups) < 2:
        return
    for name in quantities_of(inputs, measured):
        size = MARGINS[name]
        margin = None if size is None else Margin(size, name in COMPLEMENTS)
        values = {
            group.name: SeedValues(_seeds(group, place), _by_seed(measured[group.name], name))
            for place, group in enumerate(inputs.groups)
        }
        for contrast in contrasts(values, reference, closer(name), margin, confidence):
            declared = name == primary and contrast.family == Family.REFERENCE
            yield {
                "measure": NAMES.get(name, name),
                "exploratory": not declared,
                **result_row(_without_names(contrast, inputs.paired)),
            }


def _seeds(group: Group, place: int) -> Sequence[int]:
    """Return a group's seeds; where they are not named, numbers that no other group has."""
    start = place * _BETWEEN_GROUPS
    return group.seeds or range(start, start + len(group.sources))


def _by_seed(own: Measured, name: str) -> Floats:
    if name in SCORES:
        return np.asarray(own.scores[name].mean(axis=1))
    return pair_matrix(own.pairs, own.values[name])[1]


def _without_names(contrast: Contrast, paired: bool) -> Contrast:
    """Say that seeds are not named, where it is for this that they are not shared."""
    if paired:
        return contrast
    codes = {Reason.UNPAIRED: Reason.SEEDS_NOT_NAMED}
    return replace(contrast, reasons=tuple(codes.get(code, code) for code in contrast.reasons))


def verdict_rows(contrasts: Sequence[Row], estimates: Sequence[Row]) -> Iterator[Row]:
    """Yield the contrasts that answer the declared question, with the losses of both groups."""
    levels = {(row["group"], row["measure"]): row["estimate"] for row in estimates}
    for row in contrasts:
        if not row["exploratory"]:
            scores = {
                f"{score}_{place}": levels.get((row[place], score))
                for score in NAMES.values()
                for place in ("first", "second")
            }
            yield {key: value for key, value in row.items() if key != "family"} | scores


def strata_rows(
    inputs: Inputs,
    survey: Survey,
    measured: Mapping[str, Measured],
    confidence: float,
) -> Iterator[Row]:
    """Yield the measures of each stratum of positions for each group."""
    if _labels(inputs):
        return
    for group in inputs.groups:
        own = measured[group.name]
        for stratification, places in survey.strata.items():
            losses = _by_stratum(own, places)
            for stratum, positions in enumerate(np.bincount(places).tolist()):
                if not positions:
                    continue
                labels: Row = {"group": group.name, "stratification": stratification}
                labels |= {"stratum": str(stratum + 1), "positions": positions}
                for measure, found in _stratum(own, stratification, stratum, losses, confidence):
                    yield labels | {"measure": measure} | result_row(found)


def _by_stratum(own: Measured, places: np.ndarray) -> Floats | None:
    """Return the mean loss of each model in each stratum, [M, K]."""
    sizes = np.bincount(places)
    if not own.scores:
        return None
    sums = [np.bincount(places, losses, len(sizes)) for losses in own.scores["val_loss"]]
    return np.asarray(sums) / np.maximum(sizes, 1)


def _stratum(
    own: Measured,
    stratification: Stratification,
    stratum: int,
    losses: Floats | None,
    confidence: float,
) -> Iterator[tuple[str, Estimate]]:
    values = {name: part[:, stratum] for name, part in own.parts[stratification].items()}
    yield from stratum_divergences(own.pairs, values, confidence)
    if losses is not None:
        yield stratum_loss(losses[:, stratum], confidence)


def notice_rows(inputs: Inputs, survey: Survey, measured: Mapping[str, Measured]) -> Iterator[Row]:
    """Yield what to know of the predictions."""
    for found in survey.underflow:
        mean = float(measured[found.group].values["relative_pd"].mean())
        shares = {"one": found.one, "both": found.both, "relative_pd": mean}
        yield {"notice": Notice.UNDERFLOW, "subject": found.group, **shares}
    for source in inputs.sources:
        if source.notice is not None:
            yield {"notice": source.notice, "subject": source.name}
    if len(inputs.groups) > 1 and not inputs.paired:
        yield {"notice": Notice.NOT_PAIRED, "subject": ""}
    if len(inputs.groups) > 1 and inputs.targets is None:
        yield {"notice": Notice.NO_TARGETS, "subject": ""}


def _labels(inputs: Inputs) -> bool:
    return (inputs.sources[0].kind or inputs.kind) == OutputKind.LABELS
