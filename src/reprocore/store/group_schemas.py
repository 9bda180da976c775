"""Schemas of the tables of groups of any origin: those of a study, but for what only it has."""

import pyarrow as pa

from reprocore.kinds import Notice
from reprocore.store.columns import FLOAT, INT, TEXT, codes, codes_of, column, nullable
from reprocore.store.position_schemas import STRATA_SCHEMA
from reprocore.store.schemas import CONTRASTS_SCHEMA, ESTIMATES_SCHEMA, PAIRS_SCHEMA
from reprocore.vocabulary import PAIR_MEASURES, Reason

_GROUP = column("group", TEXT, "name of the group of models")
_STEP = nullable("step", INT, "snapshot, null where files have none")
# What only a study has.
_OF_A_STUDY = (
    *("model", "arm", "activation", "step", "condition", "matched_loss", "interpolation"),
    *("seed_a", "seed_b", "continuation_distance"),
)


def _of_groups(schema: pa.Schema, *first: pa.Field) -> pa.Schema:
    return pa.schema([_STEP, *first, *(field for field in schema if field.name not in _OF_A_STUDY)])


def _optional(schema: pa.Schema, names: tuple[str, ...]) -> pa.Schema:
    """Return a schema in which some values can be missing: no targets, or labels alone."""
    return pa.schema([f.with_nullable(True) if f.name in names else f for f in schema])


_SHARES = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")
GROUP_PAIRS_SCHEMA = _optional(
    _of_groups(
        PAIRS_SCHEMA,
        _GROUP,
        column("model_a", TEXT, "the first model"),
        column("model_b", TEXT, "the second model"),
        nullable("seed_a", INT, "the lower seed, null where seeds are not named"),
        nullable("seed_b", INT, "the higher seed, null where seeds are not named"),
    ),
    (*PAIR_MEASURES, *_SHARES),
)
MODELS_SCHEMA = pa.schema(
    [
        *(_STEP, _GROUP),
        column("model", TEXT, "the file or array"),
        nullable("seed", INT, "null where seeds are not named"),
        nullable("loss", FLOAT, "mean of -ln p(target), null without targets", "nats"),
        nullable("accuracy", FLOAT, "the likeliest symbol is right, null without targets"),
    ]
)
GROUP_ESTIMATES_SCHEMA = _of_groups(ESTIMATES_SCHEMA, _GROUP)
GROUP_CONTRASTS_SCHEMA = _of_groups(CONTRASTS_SCHEMA)
_REASON = GROUP_CONTRASTS_SCHEMA.get_field_index("reason")
GROUP_CONTRASTS_SCHEMA = GROUP_CONTRASTS_SCHEMA.set(
    _REASON,
    codes(
        "reason",
        map(Reason, sorted(codes_of(CONTRASTS_SCHEMA, "reason") | {Reason.SEEDS_NOT_NAMED})),
        "what is missing, and what limits the comparison",
    ),
)
GROUP_STRATA_SCHEMA = _of_groups(STRATA_SCHEMA, _GROUP)
VERDICTS_SCHEMA = pa.schema(
    [
        *(field for field in GROUP_CONTRASTS_SCHEMA if field.name not in ("family", "exploratory")),
        nullable("loss_first", FLOAT, "mean loss of the first group, null without targets", "nats"),
        nullable("loss_second", FLOAT, "mean loss of the second group", "nats"),
        nullable("accuracy_first", FLOAT, "mean accuracy of the first group"),
        nullable("accuracy_second", FLOAT, "mean accuracy of the second group"),
    ]
)
NOTICES_SCHEMA = pa.schema(
    [
        _STEP,
        codes("notice", Notice, "what to know"),
        column("subject", TEXT, "of which group or file; empty for all"),
        nullable("one", FLOAT, "share of relative PD's terms where one number is 0"),
        nullable("both", FLOAT, "share of them where both numbers are 0"),
        nullable("relative_pd", FLOAT, "the group's, which these shares are part of"),
    ]
)
