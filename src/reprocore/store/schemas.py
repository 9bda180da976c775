"""The columns of every table: name, type, meaning, unit, and whether a value can be missing.

All schemas are here, in `position_schemas`, in `cell_schemas` and, of arrays of any origin, in
`group_schemas`, so that the data dictionary can be made from them.
"""

import pyarrow as pa

from reprocore.store.columns import (
    FLOAT,
    INT,
    ITERATION,
    NATS,
    POSITIONS,
    SPEED,
    STEP,
    TEXT,
    TRAIN_LOSS,
    VAL_ACCURACY,
    VAL_LOSS,
    codes,
    column,
    interval,
    nullable,
)
from reprocore.vocabulary import (
    MEASURES,
    PAIR_MEASURES,
    POSITION_MEASURES,
    QUANTITIES,
    TEXT_MEASURES,
    ClaimReason,
    ClaimVerdict,
    Condition,
    ContrastVerdict,
    Family,
    Flag,
    Generalisation,
    Method,
    Reason,
    ScaledBy,
    ScaledQuantity,
    Trial,
    generalisation,
)

_MODEL = column("model", TEXT, "name of the model")
_ACTIVATION = column("activation", TEXT, "name of the activation")
_ARM = column("arm", TEXT, "random streams that follow the seed")
_SEED = column("seed", INT, "number of the repetition")
_MEASURE = column("measure", TEXT, "what is measured")
_CONDITION = codes("condition", Condition, "final, or interpolated at the matched loss")
_EXPLORATORY = column(
    "exploratory", pa.bool_(), "false for the one question that the study declares beforehand"
)


PAIRS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM),
        column("seed_a", INT, "the lower seed"),
        column("seed_b", INT, "the higher seed"),
        STEP,
        *(
            column(name, FLOAT, measure.label, measure.unit or "1")
            for name, measure in MEASURES.items()
        ),
        column("right_to_wrong", FLOAT, "the first seed is right, the second wrong", POSITIONS),
        column("wrong_to_right", FLOAT, "the other way round", POSITIONS),
        column("wrong_to_wrong", FLOAT, "both wrong, with different characters", POSITIONS),
        column("flips", FLOAT, "right_to_wrong and wrong_to_right together", POSITIONS),
        nullable(
            "kappa", FLOAT, "Cohen's, of the likeliest characters; null where chance gives 1", "1"
        ),
        nullable(
            "loss_correlation",
            FLOAT,
            "Pearson's, of the losses by position; null where one does not vary or is infinite",
            "1",
        ),
        *(
            nullable(name, FLOAT, f"{measure.label}; null before the last step", "1")
            for name, measure in TEXT_MEASURES.items()
        ),
    ]
)

BLOCKS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM, _SEED, STEP),
        column("block", INT, "block of the probe, from 0, in the order of the text"),
        *(
            column(name, FLOAT, f"{PAIR_MEASURES[name].label}: mean over the seed's pairs", "1")
            for name in POSITION_MEASURES
        ),
    ]
)

_NO_INTERVAL = (
    *(Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.FEW_SEEDS),
    *(Reason.ONE_BLOCK, Reason.ON_A_BOUND),
)

ESTIMATES_SCHEMA = pa.schema(
    [
        _MODEL,
        _ACTIVATION,
        _ARM,
        STEP,
        _MEASURE,
        column("estimate", FLOAT, "mean over pairs, or over seeds"),
        nullable("se", FLOAT, "standard error for what the interval holds for"),
        nullable("se_seeds", FLOAT, "standard error for new seeds on the same text"),
        nullable("se_text", FLOAT, "standard error for new text with the same seeds"),
        *interval("the estimate"),
        nullable("dof", FLOAT, "degrees of freedom of se"),
        codes("generalisation", Generalisation, "what the interval holds for: new ones of these"),
        column("seeds", INT, "seeds that the estimate rests on"),
        column("pairs", INT, "pairs of seeds; 0 for a mean"),
        column("blocks", INT, "blocks of text; 0 for an interval that is for new seeds alone"),
        codes("reason", (*_NO_INTERVAL, Reason.NO_VARIATION), "why it has no interval or width"),
    ]
)

CURVES_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM, _SEED),
        *(ITERATION, TRAIN_LOSS, VAL_LOSS, VAL_ACCURACY, SPEED),
    ]
)

CELLS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION, _ARM, _SEED),
        column("parameters", INT, "trainable parameters"),
        VAL_LOSS,
        VAL_ACCURACY,
        column("unigram_entropy", FLOAT, "loss of a model without context", NATS),
        column("beats_unigram", pa.bool_(), "the loss is below the unigram entropy"),
        column("train_seconds", FLOAT, "evaluation included", "seconds"),
        column("probe_hash", TEXT, "of the probe that was predicted"),
        column("source", TEXT, "digest of the code that trained"),
        column("environment", TEXT, "torch, processor or GPU"),
    ]
)

CONTRASTS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _CONDITION),
        codes("family", Family, "contrasts that are adjusted together"),
        _EXPLORATORY,
        column("first", TEXT, "the activation in question"),
        column("second", TEXT, "the activation that it is compared with"),
        nullable("matched_loss", FLOAT, "worst final loss of a pair; null at the final step", NATS),
        nullable("interpolation", FLOAT, "distance in loss to the nearer snapshot over the gap"),
        nullable("difference", FLOAT, "mean of the first less that of the second"),
        nullable("ratio", FLOAT, "mean of the first over that of the second"),
        nullable("se", FLOAT, "of the difference, over seeds"),
        nullable("dof", FLOAT, "degrees of freedom of its t"),
        *interval("the difference, of this contrast alone"),
        nullable("ratio_low", FLOAT, "lower end of the ratio's interval (Fieller), likewise"),
        nullable("ratio_high", FLOAT, "upper end of the ratio's interval (Fieller), likewise"),
        nullable("first_cv", FLOAT, "standard error of the first's mean over that mean"),
        nullable("second_cv", FLOAT, "standard error of the second's mean over that mean"),
        codes("method", Method, "how it was compared; null for not at all").with_nullable(True),
        nullable("p", FLOAT, "two-sided, by t; null where seeds are too few"),
        nullable("p_equivalence", FLOAT, "that the ratio is outside the margin"),
        nullable("p_adjusted", FLOAT, "p adjusted for the family"),
        nullable("p_equivalence_adjusted", FLOAT, "p_equivalence after Holm in the family"),
        nullable("seeds", INT, "shared seeds; the smaller number where too few are shared"),
        column("seeds_first", INT, "seeds of the first activation"),
        column("seeds_second", INT, "seeds of the second activation"),
        column("seeds_shared", INT, "seeds that both have"),
        column("comparisons", INT, "contrasts of the family that were tested"),
        codes("verdict", ContrastVerdict, "on the first activation"),
        codes(
            "reason",
            (
                *(Reason.NOT_FINITE, Reason.FEW_SEEDS, Reason.PART_OF_SEEDS, Reason.UNPAIRED),
                *(Reason.CONSTANT_DIFFERENCE, Reason.NO_RATIO, Reason.PAST_MATCHED_LOSS),
                *(Reason.FEW_SEEDS_FOR_TEST, Reason.WITHIN_MARGIN),
            ),
            "what is missing, and what limits the comparison",
        ),
    ]
)

# Adjusted with the others of its step; at the last step the same as in the contrasts.
STEPS_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, STEP),
        *(
            CONTRASTS_SCHEMA.field(name)
            for name in ("first", "second", "ratio", "ratio_low", "ratio_high", "p_adjusted")
        ),
        *(
            CONTRASTS_SCHEMA.field(name)
            for name in ("seeds", "seeds_first", "seeds_second", "seeds_shared")
        ),
        *(CONTRASTS_SCHEMA.field(name) for name in ("verdict", "reason")),
    ]
)

_PLANNED = (
    ("", "seeds", " with 80% power by the closed test; null: over 10,000"),
    ("_low", "lower end of the seeds", ", for the size of the errors (χ²)"),
    ("_high", "upper end of the seeds", ", likewise; null: over 10,000"),
)

SENSITIVITY_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _CONDITION, _EXPLORATORY),
        STEP.with_nullable(True),
        nullable("cv", FLOAT, "CV across activations, seed noise included", "percent"),
        nullable("corrected", FLOAT, "the CV less the noise", "percent"),
        *interval("the corrected CV"),
        nullable("p_omnibus", FLOAT, "that the activations are alike (Greenhouse–Geisser)"),
        nullable("epsilon", FLOAT, "1 for spherical errors, 1/(activations−1) at the least"),
        nullable("activations", INT, "activations compared"),
        nullable("seeds", INT, "seeds that they share"),
        column("seeds_most", INT, "seeds of the activation that has most"),
        *(
            nullable(f"seeds_for_{percent}{end}", INT, f"{what} to find {percent}%{more}")
            for percent in (5, 10, 20)
            for end, what, more in _PLANNED
        ),
        codes(
            "seeds_reason",
            (
                *(Reason.NOT_DECLARED, Reason.FEW_SEEDS_FOR_TEST),
                *(Reason.ZERO_MEAN, Reason.NO_VARIATION),
            ),
            "why no seeds are planned",
        ),
        codes(
            "reason",
            (
                *(Reason.NOT_FINITE, Reason.PAST_MATCHED_LOSS),
                *(Reason.ZERO_MEAN, Reason.FEW_SEEDS),
                *(Reason.NO_SHARED_SEED, Reason.ONLY_COMMON_SEEDS, Reason.FEW_SEEDS_FOR_TEST),
            ),
            "what is missing, and what limits it",
        ),
    ]
)

SOURCES_SCHEMA = pa.schema(
    [
        *(_MODEL, _ARM, _MEASURE, _ACTIVATION),
        nullable("estimate", FLOAT, "mean over pairs in this arm"),
        nullable("share", FLOAT, "estimate over that of the arm `all`"),
        *interval("the share (Fieller)"),
        nullable("seeds", INT, "seeds shared with the arm `all`"),
        codes(
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
        *(_MODEL, _ARM, _MEASURE, STEP),
        column("budget", FLOAT, "step over the last step"),
        nullable("estimate", FLOAT, "Kendall's correlation with the final order"),
        *interval("the correlation"),
        nullable("agree", INT, "pairs of activations that differ at both steps, alike"),
        nullable("disagree", INT, "pairs that differ at both steps, the other way round"),
        nullable("pairs", INT, "pairs of activations in all"),
        nullable("seeds", INT, "seeds that they share"),
        codes(
            "reason",
            (Reason.NOT_FINITE, Reason.FEW_SEEDS, Reason.ALL_ALIKE),
            "why there is no correlation",
        ),
    ]
)

RATIOS_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        column("first", TEXT, "the activation in question"),
        column("second", TEXT, "the activation that it is compared with"),
        nullable("ratio", FLOAT, "geometric mean over models of first over second"),
        *interval("the ratio, for these models"),
        nullable("chance_lower", FLOAT, "that the mean ratio is below 1"),
        nullable("share_lower", FLOAT, "expected share of models where the first is lower"),
        nullable("models", INT, "models that it rests on"),
        column("models_total", INT, "models of the study that ran"),
        codes(
            "reason",
            (Reason.NO_MODELS, Reason.MODELS_WITHOUT_RATIO, Reason.CONSTANT_RATIO),
            "what is missing, and what limits the mean",
        ),
    ]
)

EARLY_MODEL_ORDER_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        nullable("budget", FLOAT, "share of the training steps done"),
        nullable("estimate", FLOAT, "Kendall's correlation over models with the final sensitivity"),
        *interval("the correlation"),
        nullable("models", INT, "models ranked"),
        nullable("agree", INT, "pairs of models that differ at both steps, alike"),
        nullable("disagree", INT, "pairs that differ at both steps, the other way round"),
        nullable("pairs", INT, "pairs of models in all"),
        nullable("seeds", INT, "seeds that they share"),
        codes(
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
        column("seeds", INT, "seeds that ran"),
        column("seeds_wanted", INT, "seeds in the config"),
        column("missing_seeds", TEXT, "seeds of the config that have not run"),
        column("cells_above_unigram", INT, "cells whose loss is not below the unigram entropy"),
        nullable("parameters", INT, "trainable parameters"),
        nullable("step", INT, "optimiser steps of the final models"),
        *(
            nullable(f"{name}{end}", FLOAT, f"{meaning} of {name}, for new {generalisation(name)}")
            for name in QUANTITIES
            for end, meaning in _ENDS.items()
        ),
        codes("flags", Flag, "what to know before using the row"),
        codes("reason", _NO_INTERVAL, "why estimates of the last step have no interval"),
    ]
)

TUNING_SCHEMA = pa.schema(
    [
        *(_MODEL, _ACTIVATION),
        column("learning_rate", FLOAT, "peak, as tried"),
        _SEED,
        nullable("val_loss", FLOAT, "at the last step, on the evaluation windows", NATS),
        nullable("mean_loss", FLOAT, "over the seeds; null where one has none", NATS),
        column("chosen", pa.bool_(), "of this rate the mean loss is the lowest"),
        column("at_end", pa.bool_(), "it is chosen and an end of the grid"),
        codes("trial", Trial, "what came of the training"),
    ]
)

AUDIT_SCHEMA = pa.schema(
    [
        column("id", TEXT, "name of the claim"),
        column("claim", TEXT, "what was claimed"),
        column("source", TEXT, "where in the published report"),
        column("reported", TEXT, "the figures as published"),
        column("kind", TEXT, "the kind of test"),
        column("measured", TEXT, "all figures that decide, one a line; may be empty"),
        codes("verdict", ClaimVerdict, "supported or refuted only by tests or intervals"),
        column("reason", TEXT, "all facts that decide, one a line"),
        codes("codes", ClaimReason, "codes of these facts, one a line"),
        column("beside", TEXT, "figures and facts that decide nothing, one a line"),
        nullable("seeds_more", INT, "seeds to add for a decision; null: not known"),
        column("printed", pa.bool_(), "judged by printed figures alone, not by trainings"),
        *(
            column(f"parts_{code}", INT, f"comparisons or figures of the claim that are {code}")
            for code in ClaimVerdict
        ),
    ]
)

SCALE_SCHEMA = pa.schema(
    [
        *(_ARM, _MEASURE),
        codes("quantity", ScaledQuantity, "what changes over the models of `scale`"),
        nullable("activation", TEXT, "whose level; null for the squared CV across activations"),
        codes("scaled_by", ScaledBy, "over log10 of the parameters, or over the loss"),
        nullable("slope", FLOAT, "of ln(level) or CV² in percent², per tenfold or 1 nat of loss"),
        *interval("the slope, for these models, over seeds"),
        column("models", INT, "models that it rests on"),
        column("models_total", INT, "models of `scale`"),
        column("seeds", INT, "seeds that these models share"),
        codes(
            "reason",
            (Reason.FEW_MODELS, Reason.NOT_FINITE, Reason.ALIKE_MODELS, Reason.FEW_SEEDS),
            "why there is no slope or no interval",
        ),
    ]
)
