"""How reproducible are two small networks on scikit-learn's digits? Five seeds of each.

    python docs/examples/digits.py [FOLDER]

trains ten networks in a few seconds, writes what they predict for the same 360 images into FOLDER
(`digits` if not given), and prints how far apart seeds are, and whether the activation changes it.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import reprocore

SEEDS = (1, 2, 3, 4, 5)
ACTIVATIONS = ("relu", "tanh")


def main(folder: Path) -> None:
    """Train, write the predictions, compare."""
    folder.mkdir(parents=True, exist_ok=True)
    images, digits = load_digits(return_X_y=True)
    split = train_test_split(images / 16, digits, test_size=360, random_state=0)
    np.save(folder / "labels.npy", split[3])
    predictions = {}
    for activation in ACTIVATIONS:
        predictions[activation] = np.stack([trained(activation, seed, *split) for seed in SEEDS])
        for seed, probabilities in zip(SEEDS, predictions[activation], strict=True):
            np.save(folder / f"{activation}-{seed}.npy", probabilities)

    # Both activations start from the same seeds, so they are compared seed by seed. Each image is
    # a block of its own: the intervals hold for new seeds and new images.
    result = reprocore.reproducibility(predictions, targets=split[3], seeds=SEEDS, blocks=1)
    shown = ["accuracy", "relative_pd", "churn"]
    levels = result.estimates.set_index("measure").loc[shown]
    print(levels[["group", "estimate", "low", "high"]].round(3).to_string())
    print(result.verdicts[["first", "second", "ratio", "p_adjusted", "verdict"]].to_string())
    patterns = " ".join(f"'{name}={folder}/{name}-*.npy'" for name in ACTIVATIONS)
    print(
        f"The same from the files:\n  reprocore compare {patterns} --targets {folder}/labels.npy "
        "--seeds '*-{seed}.npy' --blocks 1"
    )


def trained(activation, seed, train, test, digits, _):
    """Return what one network predicts for the test images, float64 [360, 10]."""
    network = MLPClassifier((32,), activation=activation, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early, to differ more
        network.fit(train, digits)
    return network.predict_proba(test)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digits"))
