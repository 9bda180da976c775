"""Schemas of the tables that are made from the predictions of all final cells of a model."""

import pyarrow as pa

from reprocore.store.columns import FLOAT, INT, TEXT, codes, column, interval, nullable
from reprocore.store.schemas import ESTIMATES_SCHEMA
from reprocore.vocabulary import Reason, Stratification

_COMMON = {name: ESTIMATES_SCHEMA.field(name) for name in ("model", "arm", "step", "measure")}

CROSS_SCHEMA = pa.schema(
    [
        *(_COMMON["model"], _COMMON["arm"], _COMMON["step"]),
        column("activation_a", TEXT, "the first activation, in the order of the study"),
        column("activation_b", TEXT, "the second one, or the same: training again"),
        column("same_seed", pa.bool_(), "whether trainings of the same or of different seeds"),
        _COMMON["measure"],
        nullable("estimate", FLOAT, "mean over pairs of trainings"),
        nullable("se", FLOAT, "standard error over seeds"),
        *interval("the estimate"),
        nullable(
            "ratio",
            FLOAT,
            "estimate over the mean of the two activations' own, of different seeds; where more "
            "is closer, both are 1 less the measure; null within one activation",
        ),
        nullable("ratio_low", FLOAT, "lower end of the ratio's interval (Fieller), of it alone"),
        nullable("ratio_high", FLOAT, "upper end of the ratio's interval (Fieller), of it alone"),
        column("seeds", INT, "seeds that both activations have"),
        column("seeds_first", INT, "seeds of the first activation"),
        column("seeds_second", INT, "seeds of the second activation"),
        column("pairs", INT, "pairs of trainings"),
        codes(
            "reason",
            (
                *(Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.ONE_SEED, Reason.FEW_SEEDS),
                *(Reason.ON_A_BOUND, Reason.NO_VARIATION),
                *(Reason.NOT_FINITE, Reason.NO_SHARED_SEED, Reason.PART_OF_SEEDS),
                *(Reason.NO_RATIO, Reason.RETRAINING_NOT_CLEAR),
            ),
            "what is missing, and what limits the comparison",
        ),
    ]
)

STRATA_SCHEMA = pa.schema(
    [
        *(_COMMON["model"], ESTIMATES_SCHEMA.field("activation"), _COMMON["arm"], _COMMON["step"]),
        codes("stratification", Stratification, "by what positions are told apart"),
        column("stratum", TEXT, "1, the lowest fifth, to 5, or the kind of the true character"),
        column("positions", INT, "positions of the probe in it"),
        _COMMON["measure"],
        column("estimate", FLOAT, "mean over pairs; of the loss, over seeds, nats per character"),
        nullable("se", FLOAT, "standard error over seeds"),
        *interval("the estimate, for new seeds on the same text"),
        column("seeds", INT, "seeds that the estimate rests on"),
        column("pairs", INT, "pairs of seeds; 0 for a mean"),
        codes(
            "reason",
            (
                *(Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.ONE_SEED, Reason.FEW_SEEDS),
                *(Reason.ON_A_BOUND, Reason.NO_VARIATION),
            ),
            "why it has no interval or width",
        ),
    ]
)

_RANKS = (("first", "likeliest"), ("second", "second"), ("third", "third likeliest"))
_PROBABILITY = pa.float32()

TEXT_SCHEMA = pa.schema(
    [
        *(_COMMON["model"], ESTIMATES_SCHEMA.field("activation"), _COMMON["arm"], _COMMON["step"]),
        nullable("seed", INT, "whose prediction; null for the mean prediction of all seeds"),
        column("block", INT, "block of the probe, from 0"),
        column("position", INT, "index in the corpus of the character to predict"),
        column("character", TEXT, "the character that really came"),
        column("probability", _PROBABILITY, "of the character that really came"),
        *(nullable(name, TEXT, f"the {rank} character") for name, rank in _RANKS),
        *(nullable(f"p_{name}", _PROBABILITY, f"of the {rank} character") for name, rank in _RANKS),
        nullable(
            "disagreement",
            FLOAT,
            "share of seeds whose likeliest character is not that of the mean; null for a seed",
        ),
        nullable(
            "total_variation", FLOAT, "mean over pairs of seeds; null for a seed, and with one seed"
        ),
    ]
)
