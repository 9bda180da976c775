"""The columns of every table: name, type, meaning, unit, and whether a value can be missing.

All schemas are here and nowhere else, so that the data dictionary can be made from them.
"""

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa

from reprocore.vocabulary import (
    MEASURES,
    QUANTITIES,
    TEXT_MEASURES,
    ClaimReason,
    ClaimVerdict,
    Condition,
    ContrastVerdict,
    Family,
    Flag,
    Method,
    Reason,
    ScaledBy,
    ScaledQuantity,
    Trial,
)

_INT, _FLOAT, _TEXT = pa.int64(), pa.float64(), pa.string()
_BETWEEN_CODES = ", "
_NATS, _CHARACTERS = "nats per character", "share of characters"


def _column(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    """Return a column in which no value is missing."""
    metadata = {"meaning": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, nullable=False, metadata=metadata)


def _nullable(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    """Return a column in which a value can be missing."""
    return _column(name, kind, meaning, unit).with_nullable(True)


def _codes(name: str, codes: Iterable[StrEnum], meaning: str) -> pa.Field:
    """Return a column of codes of a vocabulary's enum; no code is the empty text.

    Where there can be several, `join_codes` made the text and `split_codes` reads it.
    """
    metadata = {"meaning": meaning, "codes": _BETWEEN_CODES.join(codes)}
    return pa.field(name, _TEXT, nullable=False, metadata=metadata)


def codes_of(schema: pa.Schema, column: str) -> frozenset[str]:
    """Return the codes that a column can hold; empty for a column that holds none."""
    metadata = schema.field(column).metadata or {}
    return frozenset(filter(None, metadata.get(b"codes", b"").decode().split(_BETWEEN_CODES)))


_MODEL = _column("model", _TEXT, "name of the model")
_ACTIVATION = _column("activation", _TEXT, "name of the activation")
_ARM = _column("arm", _TEXT, "random streams that follow the seed")
_SEED = _column("seed", _INT, "number of the repetition")
_STEP = _column("step", _INT, "optimiser steps done")
_MEASURE = _column("measure", _TEXT, "what is measured")
_CONDITION = _codes("condition", Condition, "final, or interpolated at the matched loss")
_EXPLORATORY = _column(
    "exploratory", pa.bool_(), "false for the one question that the study declares beforehand"
)
_ITERATION = _column("iteration", _INT, "optimiser steps done")
_TRAIN_LOSS = _nullable("train_loss", _FLOAT, "mean over the batches since the last row", _NATS)
_VAL_LOSS = _column("val_loss", _FLOAT, "on the evaluation windows", _NATS)
_VAL_ACCURACY = _column("val_accuracy", _FLOAT, "likeliest character is right", _CHARACTERS)
_SPEED = _nullable(
    "tokens_per_second", _FLOAT, "in training since the last row", "characters per second"
)


def _interval(of: str) -> list[pa.Field]:
    return [
        _nullable("low", _FLOAT, f"lower end of the interval of {of}"),
        _nullable("high", _FLOAT, f"upper end of the interval of {of}"),
    ]


CORPUS_SCHEMA = pa.schema(
    [
        _column("token", pa.uint16(), "the character's id: its index in symbols"),
        _column("split", pa.dictionary(pa.int32(), pa.string()), "train or validation"),
    ]
)

PROBE_SCHEMA = pa.schema(
    [
        _column("position", _INT, "index in the corpus of the character to predict"),
        _column("target", pa.uint16(), "id of the character at that position"),
    ]
)

HISTORY_SCHEMA = pa.schema(
    [
        _ITERATION,
        _TRAIN_LOSS,
        _VAL_LOSS,
        _VAL_ACCURACY,
        _nullable("learning_rate", _FLOAT, "of the last step"),
        _nullable("gradient_norm", _FLOAT, "L2, before clipping"),
        _SPEED,
        _column("elapsed_s", _FLOAT, "since training began, evaluation included", "seconds"),
    ]
)


def predictions_schema(vocabulary: int) -> pa.Schema:
    """Return the schema of predictions for V symbols; V = 0 stands for any number."""
    return pa.schema(
        [
            _STEP,
            _column("position", _INT, "index in the corpus of the predicted character"),
            _column("target", pa.uint16(), "id of the character that really came"),
            _column(
                "probabilities",
                pa.list_(pa.float32(), vocabulary),
                "next-character distribution by symbol id, sums to 1",
            ),
        ]
    )


EVALUATION_SCHEMA = pa.schema(
    [
        _STEP,
        _column("block", _INT, "block of the evaluation windows, from 0, in the order of the text"),
        _column("loss", _FLOAT, "mean over the characters of the block", _NATS),
        _column("accuracy", _FLOAT, "likeliest character is right", _CHARACTERS),
    ]
)

CONTINUATIONS_SCHEMA = pa.schema(
    [
        _column("position", _INT, "index in the corpus of the character after the context"),
        _column("continuation", _TEXT, "what the final model writes there, the likeliest each"),
    ]
)

PAIRS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM),
        _column("seed_a", _INT, "the lower seed"),
        _column("seed_b", _INT, "the higher seed"),
        _STEP,
        *(
            _column(name, _FLOAT, measure.label, measure.unit or "1")
            for name, measure in MEASURES.items()
        ),
        *(
            _nullable(name, _FLOAT, f"{measure.label}; null before the last step", "1")
            for name, measure in TEXT_MEASURES.items()
        ),
    ]
)

_NO_INTERVAL = (Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.ONE_SEED, Reason.FEW_SEEDS)

ESTIMATES_SCHEMA = pa.schema(
    [
        _MODEL,
        _ACTIVATION,
        _ARM,
        _STEP,
        _MEASURE,
        _column("estimate", _FLOAT, "mean over pairs, or over seeds"),
        _nullable("se", _FLOAT, "standard error over seeds"),
        *_interval("the estimate"),
        _column("seeds", _INT, "seeds that the estimate rests on"),
        _column("pairs", _INT, "pairs of seeds; 0 for a mean"),
        _codes("reason", _NO_INTERVAL, "why there is no interval; empty if there is one"),
    ]
)

CURVES_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM, _SEED),
        *(_ITERATION, _TRAIN_LOSS, _VAL_LOSS, _VAL_ACCURACY, _SPEED),
    ]
)

CELLS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM, _SEED),
        _column("parameters", _INT, "trainable parameters"),
        _VAL_LOSS,
        _VAL_ACCURACY,
        _column("unigram_entropy", _FLOAT, "loss of a model without context", _NATS),
        _column("beats_unigram", pa.bool_(), "the loss is below the unigram entropy"),
        _column("train_seconds", _FLOAT, "evaluation included", "seconds"),
        _column("probe_hash", _TEXT, "of the probe that was predicted"),
        _column("source", _TEXT, "digest of the code that trained"),
        _column("environment", _TEXT, "torch, processor or GPU"),
    ]
)

CONTRASTS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _CONDITION),
        _codes("family", Family, "contrasts that are adjusted together"),
        _EXPLORATORY,
        _column("first", _TEXT, "the activation in question"),
        _column("second", _TEXT, "the activation that it is compared with"),
        _nullable("matched_loss", _FLOAT, "null at the final step", _NATS),
        _nullable("difference", _FLOAT, "mean of the first less that of the second"),
        _nullable("ratio", _FLOAT, "mean of the first over that of the second"),
        _nullable("se", _FLOAT, "of the difference, over seeds"),
        *_interval("the difference, of this contrast alone"),
        _nullable("ratio_low", _FLOAT, "lower end of the ratio's interval (Fieller), likewise"),
        _nullable("ratio_high", _FLOAT, "upper end of the ratio's interval (Fieller), likewise"),
        _codes("method", Method, "how it was compared; null for not at all").with_nullable(True),
        _nullable("p", _FLOAT, "two-sided, by t; null where seeds are too few"),
        _nullable("p_equivalence", _FLOAT, "that the ratio is outside the margin"),
        _nullable("p_adjusted", _FLOAT, "p adjusted for the family"),
        _nullable("p_equivalence_adjusted", _FLOAT, "p_equivalence after Holm in the family"),
        _nullable("seeds", _INT, "shared seeds; the smaller number where too few are shared"),
        _column("seeds_first", _INT, "seeds of the first activation"),
        _column("seeds_second", _INT, "seeds of the second activation"),
        _column("seeds_shared", _INT, "seeds that both have"),
        _column("comparisons", _INT, "contrasts of the family that were tested"),
        _codes("verdict", ContrastVerdict, "on the first activation"),
        _codes(
            "reason",
            (
                *(Reason.NOT_FINITE, Reason.FEW_SEEDS, Reason.PART_OF_SEEDS, Reason.UNPAIRED),
                *(Reason.CONSTANT_DIFFERENCE, Reason.NO_RATIO),
                *(Reason.FEW_SEEDS_FOR_TEST, Reason.WITHIN_MARGIN),
            ),
            "what is missing, and what limits the comparison",
        ),
    ]
)

SENSITIVITY_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _CONDITION, _EXPLORATORY),
        _STEP.with_nullable(True),
        _nullable("cv", _FLOAT, "CV across activations, seed noise included", "percent"),
        _nullable("corrected", _FLOAT, "the CV less the noise", "percent"),
        *_interval("the corrected CV"),
        _nullable("p_omnibus", _FLOAT, "that the activations are alike (Greenhouse–Geisser)"),
        _nullable("epsilon", _FLOAT, "1 for spherical errors, 1/(activations−1) at the least"),
        _nullable("activations", _INT, "activations compared"),
        _nullable("seeds", _INT, "seeds that they share"),
        _column("seeds_most", _INT, "seeds of the activation that has most"),
        _nullable("seeds_for_5", _INT, "seeds to resolve a difference of 5%; null: over 10,000"),
        _nullable("seeds_for_10", _INT, "the same for 10%"),
        _nullable("seeds_for_20", _INT, "the same for 20%"),
        _codes(
            "reason",
            (
                *(Reason.NOT_FINITE, Reason.ZERO_MEAN, Reason.FEW_SEEDS),
                *(Reason.NO_SHARED_SEED, Reason.ONLY_COMMON_SEEDS, Reason.FEW_SEEDS_FOR_TEST),
            ),
            "what is missing, and what limits it",
        ),
    ]
)

SOURCES_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _ACTIVATION),
        _nullable("estimate", _FLOAT, "mean over pairs in this arm"),
        _nullable("share", _FLOAT, "estimate over that of the arm `all`"),
        *_interval("the share (Fieller)"),
        _nullable("seeds", _INT, "seeds shared with the arm `all`"),
        _codes(
            "reason",
            (
                *(Reason.WHOLE_NOT_RUN, Reason.FEW_SHARED_SEEDS),
                *(Reason.WHOLE_NOT_POSITIVE, Reason.WHOLE_NOT_CLEAR),
            ),
            "why there is no share or no interval",
        ),
    ]
)

EARLY_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _STEP),
        _column("budget", _FLOAT, "step over the last step"),
        _nullable("estimate", _FLOAT, "Kendall's correlation with the final order"),
        *_interval("the correlation"),
        _nullable("agree", _INT, "pairs of activations that differ at both steps, alike"),
        _nullable("disagree", _INT, "pairs that differ at both steps, the other way round"),
        _nullable("pairs", _INT, "pairs of activations in all"),
        _nullable("seeds", _INT, "seeds that they share"),
        _codes(
            "reason",
            (Reason.NOT_FINITE, Reason.FEW_SEEDS, Reason.ALL_ALIKE),
            "why there is no correlation",
        ),
    ]
)

RATIOS_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        _column("first", _TEXT, "the activation in question"),
        _column("second", _TEXT, "the activation that it is compared with"),
        _nullable("ratio", _FLOAT, "geometric mean over models of first over second"),
        _nullable("low", _FLOAT, "lower end of its interval, for these models"),
        _nullable("high", _FLOAT, "upper end of its interval, for these models"),
        _nullable("chance_lower", _FLOAT, "that the mean ratio is below 1"),
        _nullable("share_lower", _FLOAT, "expected share of models where the first is lower"),
        _nullable("models", _INT, "models that it rests on"),
        _column("models_total", _INT, "models of the study that ran"),
        _codes(
            "reason",
            (Reason.NO_MODELS, Reason.MODELS_WITHOUT_RATIO, Reason.CONSTANT_RATIO),
            "what is missing, and what limits the mean",
        ),
    ]
)

EARLY_MODEL_ORDER_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        _nullable("budget", _FLOAT, "share of the training steps done"),
        _nullable("estimate", _FLOAT, "Kendall's correlation over models with the final CV"),
        _nullable("low", _FLOAT, "lower end of its interval"),
        _nullable("high", _FLOAT, "upper end of its interval"),
        _nullable("models", _INT, "models ranked"),
        _nullable("agree", _INT, "pairs of models that differ at both steps, alike"),
        _nullable("disagree", _INT, "pairs that differ at both steps, the other way round"),
        _nullable("pairs", _INT, "pairs of models in all"),
        _nullable("seeds", _INT, "seeds that they share"),
        _codes(
            "reason",
            (Reason.FEW_MODELS, Reason.NOT_FINITE, Reason.ALL_ALIKE),
            "why there is no correlation",
        ),
    ]
)

_ENDS = {"": "estimate", "_se": "standard error", "_low": "lower end", "_high": "upper end"}

SUMMARY_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM),
        _column("seeds", _INT, "seeds that ran"),
        _column("seeds_wanted", _INT, "seeds in the config"),
        _column("missing_seeds", _TEXT, "seeds of the config that have not run"),
        _column("cells_above_unigram", _INT, "cells whose loss is not below the unigram entropy"),
        _nullable("parameters", _INT, "trainable parameters"),
        _nullable("step", _INT, "optimiser steps of the final models"),
        *(
            _nullable(f"{name}{end}", _FLOAT, f"{meaning} of {name}")
            for name in (*QUANTITIES, *TEXT_MEASURES)
            for end, meaning in _ENDS.items()
        ),
        _codes("flags", Flag, "what to know before using the row"),
        _codes("reason", _NO_INTERVAL, "why estimates of the last step have no interval"),
    ]
)

TUNING_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION),
        _column("learning_rate", _FLOAT, "peak, as tried"),
        _SEED,
        _nullable("val_loss", _FLOAT, "at the last step, on the evaluation windows", _NATS),
        _nullable("mean_loss", _FLOAT, "over the seeds; null where one has none", _NATS),
        _column("chosen", pa.bool_(), "of this rate the mean loss is the lowest"),
        _column("at_end", pa.bool_(), "it is chosen and an end of the grid"),
        _codes("trial", Trial, "what came of the training"),
    ]
)

AUDIT_SCHEMA = pa.schema(
    [
        _column("id", _TEXT, "name of the claim"),
        _column("claim", _TEXT, "what was claimed"),
        _column("source", _TEXT, "where in the published report"),
        _column("reported", _TEXT, "the figures as published"),
        _column("kind", _TEXT, "the kind of test"),
        _column("measured", _TEXT, "all figures that decide, one a line; may be empty"),
        _codes("verdict", ClaimVerdict, "supported or refuted only by tests or intervals"),
        _column("reason", _TEXT, "all facts that decide, one a line"),
        _codes("codes", ClaimReason, "codes of these facts, one a line"),
        _column("beside", _TEXT, "figures and facts that decide nothing, one a line"),
        _nullable("seeds_more", _INT, "seeds to add for a decision; null: not known"),
    ]
)

SCALE_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        _codes("quantity", ScaledQuantity, "what changes over the models of `scale`"),
        _nullable("activation", _TEXT, "whose level; null for the squared CV across activations"),
        _codes("scaled_by", ScaledBy, "over log10 of the parameters, or over the loss"),
        _nullable(
            "slope",
            _FLOAT,
            "of the measure's natural logarithm, or of the squared CV in percent², "
            "for tenfold parameters or for 1 nat of loss",
        ),
        *_interval("the slope, for these models, over seeds"),
        _column("models", _INT, "models that it rests on"),
        _column("models_total", _INT, "models of `scale`"),
        _column("seeds", _INT, "seeds that these models share"),
        _codes(
            "reason",
            (Reason.FEW_MODELS, Reason.NOT_FINITE, Reason.ALIKE_MODELS, Reason.FEW_SEEDS),
            "why there is no slope or no interval",
        ),
    ]
)
