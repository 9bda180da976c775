"""Names of what arrays of any origin hold, how they lie, and what there is to say of them."""

from enum import StrEnum, auto


class OutputKind(StrEnum):
    """What a model's outputs are."""

    PROBABILITIES = auto()
    LOGITS = auto()  # any real numbers; probabilities by softmax
    LOG_PROBABILITIES = "log-probabilities"  # natural logarithms
    LABELS = auto()  # the predicted symbol alone


class Layout(StrEnum):
    """What the first axis of an array with one axis more than usual is."""

    MODELS = auto()  # each entry is a model of its own
    BATCHES = auto()  # all entries are of one model, one after the other


class Notice(StrEnum):
    """What to know of the predictions before using what was made of them."""

    UNDERFLOW = auto()  # float16 holds 0 for what is too small for it
    PADDED = auto()  # positions with fewer choices than others
    NOT_PAIRED = auto()  # seeds are not named
    NO_TARGETS = auto()  # so no loss and no accuracy


# What hard labels give: everything else needs distributions.
LABEL_MEASURES = ("churn", "flips", "kappa")
