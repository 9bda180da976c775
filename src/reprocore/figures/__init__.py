"""Figures of a study."""

MODEL_FIGURES = (
    "pd_by_activation",
    "accuracy_and_loss",
    "training_curves",
    "pd_along_training",
)
