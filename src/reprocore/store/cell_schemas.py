"""The columns of what cells are trained on, and of what they leave; see `schemas`."""

import pyarrow as pa

from reprocore.store.columns import (
    CHARACTERS,
    FLOAT,
    INT,
    ITERATION,
    NATS,
    SPEED,
    STEP,
    TEXT,
    TRAIN_LOSS,
    VAL_ACCURACY,
    VAL_LOSS,
    column,
    nullable,
)

CORPUS_SCHEMA = pa.schema(
    [
        column("token", pa.uint16(), "the character's id: its index in symbols"),
        column("split", pa.dictionary(pa.int32(), pa.string()), "train or validation"),
    ]
)

PROBE_SCHEMA = pa.schema(
    [
        column("position", INT, "index in the corpus of the character to predict"),
        column("target", pa.uint16(), "id of the character at that position"),
    ]
)

HISTORY_SCHEMA = pa.schema(
    [
        ITERATION,
        TRAIN_LOSS,
        VAL_LOSS,
        VAL_ACCURACY,
        nullable("learning_rate", FLOAT, "of the last step"),
        nullable("gradient_norm", FLOAT, "L2, before clipping"),
        SPEED,
        column("elapsed_s", FLOAT, "since training began, evaluation included", "seconds"),
    ]
)


def predictions_schema(vocabulary: int) -> pa.Schema:
    """Return the schema of predictions for V symbols; V = 0 stands for any number."""
    return pa.schema(
        [
            STEP,
            column("position", INT, "index in the corpus of the predicted character"),
            column("target", pa.uint16(), "id of the character that really came"),
            column(
                "probabilities",
                pa.list_(pa.float32(), vocabulary),
                "next-character distribution by symbol id, sums to 1",
            ),
        ]
    )


EVALUATION_SCHEMA = pa.schema(
    [
        STEP,
        column("block", INT, "block of the evaluation windows, from 0, in the order of the text"),
        column("loss", FLOAT, "mean over the characters of the block", NATS),
        column("accuracy", FLOAT, "likeliest character is right", CHARACTERS),
    ]
)

CONTINUATIONS_SCHEMA = pa.schema(
    [
        column("position", INT, "index in the corpus of the character after the context"),
        column("continuation", TEXT, "what the final model writes there, the likeliest each"),
    ]
)
