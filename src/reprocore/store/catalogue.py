"""The tables that a study's results hold beside its cells, by name, with their schemas."""

from collections.abc import Mapping

import pyarrow as pa

from reprocore.store import position_schemas, schemas

_OF_MODEL = {
    "estimates": schemas.ESTIMATES_SCHEMA,
    "curves": schemas.CURVES_SCHEMA,
    "cells": schemas.CELLS_SCHEMA,
    "contrasts": schemas.CONTRASTS_SCHEMA,
    "steps": schemas.STEPS_SCHEMA,
    "sensitivity": schemas.SENSITIVITY_SCHEMA,
    "sources": schemas.SOURCES_SCHEMA,
    "early": schemas.EARLY_SCHEMA,
    "cross": position_schemas.CROSS_SCHEMA,
    "strata": position_schemas.STRATA_SCHEMA,
    "text": position_schemas.TEXT_SCHEMA,
}
_ACROSS = {
    "ratios": schemas.RATIOS_SCHEMA,
    "early_model_order": schemas.EARLY_MODEL_ORDER_SCHEMA,
    "scale": schemas.SCALE_SCHEMA,
}
_OF_STUDY = {
    "summary": schemas.SUMMARY_SCHEMA,
    "audit": schemas.AUDIT_SCHEMA,
    "tuning": schemas.TUNING_SCHEMA,
}
_OF_GROUP = {"pairs": schemas.PAIRS_SCHEMA, "blocks": schemas.BLOCKS_SCHEMA}
SCHEMAS: Mapping[str, pa.Schema] = {**_OF_MODEL, **_ACROSS, **_OF_STUDY, **_OF_GROUP}
# By the folder that they are in; a group's files are named after an arm.
SCHEMAS_BY_PLACE: Mapping[str, pa.Schema] = {
    f"{folder}/{name}": schema
    for folder, tables in (("models", _OF_MODEL), ("across", _ACROSS), ("summary", _OF_STUDY))
    for name, schema in tables.items()
}


def schemas_of(*names: str) -> dict[str, pa.Schema]:
    """Return the schemas of these tables, in this order."""
    return {name: SCHEMAS[name] for name in names}
