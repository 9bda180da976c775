"""A user's own family and activation: checked before training, and what is wrong in one line."""

import pytest
from tiny_models import STUDY, VOCABULARY

from conftest import CONTEXT, MODELS, fitting, one_line, tiny_config, tiny_study
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.study.cells import CELL_FILES
from reprocore.study.sections import ModelSettings, TrainingSettings
from reprocore.study.study import parse_study
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.preflight import check_model, preflight

USER_FAMILIES = """
import torch
from torch import nn
from reprocore.training.models.activations import activation as built_in
from reprocore.training.models.activations import matched_hidden


class Good(nn.Module):
    def __init__(self, vocabulary, context, activation, *, width=16, hidden=32, matched=True):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cell = nn.GRU(width, width, batch_first=True)
        inner = hidden
        if matched:
            inner = matched_hidden(activation, hidden, width + 1, width)
        self.up = nn.Linear(width, inner)
        self.gate = nn.Linear(width, inner) if activation.gated else None
        self.act = self.make(activation)
        self.down = nn.Linear(inner, width)
        self.head = nn.Linear(width, vocabulary)

    def make(self, activation):
        return activation.make()

    def read(self, x):
        return self.cell(x)[0]

    def unit(self, x):
        h = self.act(self.up(x))
        return self.down(h if self.gate is None else h * self.gate(x))

    def forward(self, tokens):
        x = self.read(self.embedding(tokens))
        return self.head(x + self.unit(x))


class WithoutActivation(Good):
    def unit(self, x):
        return 0


class FunctionalRelu(Good):
    def unit(self, x):
        return self.down(torch.relu(self.up(x)))


class FallsThroughToRelu(Good):
    # What the replaced study did: whatever is asked for, ReLU is used.
    def make(self, activation):
        return built_in("relu").make()


class SeesTheNext(Good):
    def read(self, x):
        return super().read(x + torch.roll(x, -1, dims=1))


class SeesBothSides(Good):
    def read(self, x):
        return x - x.mean(dim=1, keepdim=True)


class LooksFarAhead(Good):
    def read(self, x):
        ahead = torch.zeros_like(x)
        ahead[:, :-20] = x[:, 20:]
        return super().read(x + ahead)


class StartsSilent(Good):
    # As with a gain that starts at 0 (ReZero): the activation matters from the second step on.
    def __init__(self, *arguments, **sizes):
        super().__init__(*arguments, **sizes)
        self.gain = nn.Parameter(torch.zeros(1))

    def unit(self, x):
        return self.gain * super().unit(x)


class LosesItsLoss(Good):
    def forward(self, tokens):
        return super().forward(tokens) * (float("nan") if self.training else 1)


class LosesAGradient(Good):
    def forward(self, tokens):
        logits = super().forward(tokens)
        return logits - logits.detach() + (logits - logits.detach()).abs().sqrt()


class GivesTheLastOnly(Good):
    def forward(self, tokens):
        return super().forward(tokens)[:, -1]


class Negative(nn.Module):
    def __init__(self, vocabulary, context, activation, *, width):
        super().__init__()
        self.layer = nn.Linear(vocabulary, width)


def not_a_module(vocabulary, context, activation):
    return "a string"
"""


def user_settings(name: str, context: int = CONTEXT, **sizes) -> ModelSettings:
    content = {"family": f"user_family:{name}", "context": context, "sizes": sizes}
    return ModelSettings.model_validate(content)


@pytest.fixture
def user_families(user_module):
    user_module("user_family", USER_FAMILIES)


def check(settings: ModelSettings, chosen: str, corpus: Corpus) -> int:
    return check_model(settings, TrainingSettings(), activation(chosen), corpus)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize("name", ["Good", "StartsSilent"])
@pytest.mark.parametrize("chosen", ["gelu", "relu", "smelu_05", "prelu", "swiglu"])
def test_check_model_accepts_a_good_user_family(name, chosen, tiny_corpus):
    built = build_model(user_settings(name), activation(chosen), tiny_corpus.vocabulary_size, 1)
    assert check(user_settings(name), chosen, tiny_corpus) == count_parameters(built)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_check_model_accepts_every_model_with_every_activation(name, tiny_corpus):
    for chosen in fitting(name):
        check(STUDY.models[name], chosen, tiny_corpus)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize("name", ["WithoutActivation", "FunctionalRelu", "FallsThroughToRelu"])
@pytest.mark.parametrize("chosen", ["gelu", "relu", "prelu", "smelu_1"])
def test_check_model_refuses_a_family_that_ignores_its_activation(name, chosen, tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(user_settings(name), chosen, tiny_corpus)
    assert f"activation {chosen!r} never reaches the model's output" in one_line(error)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize(
    ("name", "context", "reason"),
    [
        ("SeesTheNext", CONTEXT, "sees the future"),
        ("SeesBothSides", CONTEXT, "sees the future"),
        ("LooksFarAhead", 64, "sees the future"),
        ("LosesItsLoss", CONTEXT, "the loss of the first training step is nan"),
        ("LosesAGradient", CONTEXT, "the gradient of embedding.weight is not finite"),
        ("GivesTheLastOnly", CONTEXT, "the logits have shape (1, 29); must be (1, 16, 29)"),
    ],
)
def test_check_model_refuses_a_family_that_cannot_be_trained(name, context, reason, tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(user_settings(name, context), "gelu", tiny_corpus)
    assert reason in one_line(error)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize(
    ("settings", "chosen"),
    [(STUDY.models["convlm"], "apl"), (user_settings("Good", matched=False), "swiglu")],
    ids=["unit too narrow", "width not matched"],
)
def test_parameters_beyond_a_hundredth_of_those_with_relu_are_refused(
    settings, chosen, tiny_corpus
):
    assert check(settings, "gelu", tiny_corpus)
    with pytest.raises(ReprocoreError) as error:
        check(settings, chosen, tiny_corpus)
    assert f"with {chosen!r} has" in one_line(error)
    assert "1% is allowed" in one_line(error)


def test_any_error_of_a_users_module_is_one_line_of_a_preflight(user_module, tiny_corpus, capfd):
    user_module("raises", "def raises(x):\n    raise IndexError('no such\\nthing')\n")
    custom = {"own": {"path": "raises:raises"}}
    study = tiny_study(custom_activations=custom, activations=["relu", "own"])
    with pytest.raises(ReprocoreError) as error:
        preflight(study, "charlm", "own", tiny_corpus)
    assert one_line(error) == "charlm/own: IndexError: no such thing"
    assert "raises.py" in capfd.readouterr().err


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("Good", {"widht": 16}),
        ("Negative", {}),
        ("Negative", {"width": "wide"}),
        ("Negative", {"width": -3}),
        ("not_a_module", {}),
        ("no_such_builder", {}),
    ],
)
def test_builder_that_cannot_use_its_sizes_is_one_line_that_names_the_family(name, sizes):
    with pytest.raises(ReprocoreError) as error:
        build_model(user_settings(name, **sizes), activation("relu"), VOCABULARY, 1)
    assert f"user_family:{name}" in one_line(error)


@pytest.mark.usefixtures("user_families")
def test_user_family_works_from_config_to_files(train_cell):
    models = {"mine": {"family": "user_family:Good", "context": CONTEXT, "sizes": {"width": 16}}}
    study = parse_study(tiny_config(models=models))
    folder, described = train_cell(study, "mine", "swiglu")
    assert described["val_loss"] > 0
    assert described["settings"]["builder"] == "user_family:Good"
    assert {path.name for path in folder.iterdir()} == set(CELL_FILES)
