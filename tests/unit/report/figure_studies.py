"""The studies that the figures are drawn of, and their figures, each made once.

A plugin, since a second conftest would hide the first from `from conftest import`.
"""

import pytest
from figure_tables import ARMS, Tables, WithArms, make_study

MODELS = ("charlm", "convlm", "tinylstm", "minigpt")


@pytest.fixture(scope="session")
def gappy(tmp_path_factory):
    """A study with everything that can be missing."""
    study = make_study(models=MODELS)
    return Tables(
        study,
        tmp_path_factory.mktemp("gappy"),
        seeds={
            "minigpt": (),
            ("charlm", "gelu"): (),
            ("charlm", "swiglu"): (1, 2),
            ("convlm", "relu"): (3,),
            ("convlm", "gelu"): (1, 2, 4),
        },
        infinite={("tinylstm", "relu")},
        behind={"tinylstm"},
    )


@pytest.fixture(scope="session")
def drawn(gappy):
    return gappy.figures()


@pytest.fixture(scope="session")
def armed(tmp_path_factory):
    """A study with all arms, in which something is missing too."""
    study = make_study(models=MODELS, arms=list(ARMS))
    return WithArms(
        study,
        tmp_path_factory.mktemp("armed"),
        seeds={
            "minigpt": (),
            ("charlm", "gelu"): (),
            ("charlm", "swiglu"): (1, 2),
            ("convlm", "relu"): (3,),
            ("tinylstm", "gelu"): (1, 2, 4),
        },
        behind={"tinylstm"},
    )


@pytest.fixture(scope="session")
def armed_figures(armed):
    return armed.figures()
