"""Every model with every activation: sizes, liveness, causality, pairing, initial values."""

import itertools
import math
import re
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conftest import (
    ACTIVATIONS,
    CONTEXT,
    MODELS,
    RECURRENT,
    ROOT,
    fitting,
    one_line,
    tiny_config,
    tiny_study,
)
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.study.cells import CELL_FILES
from reprocore.study.sections import ModelSettings, TrainingSettings
from reprocore.study.study import load_study, parse_study
from reprocore.training.loop import evaluation_probe, probe_windows, train
from reprocore.training.models.activations import activation, load_dotted, study_activation
from reprocore.training.models.attention import causal_attention
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.models.layers import CausalConv, Dropout, FeedForward, attach_stream
from reprocore.training.preflight import check_model, preflight
from reprocore.training.randomness import MaskStream, stream_seeds
from reprocore.training.state import begin_training
from reprocore.vocabulary import FAMILY_BUILDERS

VOCABULARY = 65
COUNTS = {
    "charlm": 429_121,
    "nanotransformer": 428_800,
    "convlm": 429_281,
    "hybridlm": 429_377,
    "tinylstm": 176_169,
    "minigpt": 10_788_929,
}
STUDY = tiny_study()


def tiny_model(name: str, chosen: str = "gelu", seed: int = 1, vocabulary: int = VOCABULARY):
    return build_model(STUDY.models[name], activation(chosen), vocabulary, seed)


def some_tokens(rows: int = 3, length: int = CONTEXT, vocabulary: int = VOCABULARY):
    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def shipped():
    return load_study(ROOT / "config" / "config.yaml")


def count_at_full_size(settings: ModelSettings, name: str) -> int:
    builder = load_dotted(FAMILY_BUILDERS[settings.family], "family")
    with torch.device("meta"):
        model = builder(VOCABULARY, settings.context, activation(name), **settings.sizes)
    return count_parameters(model)


def test_the_shipped_models_are_those_with_a_known_count(shipped):
    assert set(shipped.models) == set(COUNTS) == set(MODELS) - set(RECURRENT)


@pytest.mark.parametrize("file", ["config", "ablation", "scale"])
def test_counts_in_the_comments_of_a_shipped_configuration_are_right(file):
    path = ROOT / "config" / f"{file}.yaml"
    written = dict(re.findall(r"^  (\w+): # ([\d,]+)", path.read_text("utf-8"), re.MULTILINE))
    study = load_study(path)
    assert set(written) == set(study.models)
    counts = {name: int(text.replace(",", "")) for name, text in written.items()}
    for name, count in counts.items():
        assert count_at_full_size(study.models[name], "relu") == count, name
        for chosen in study.activations:
            found = count_at_full_size(study.models[name], chosen)
            assert found == pytest.approx(count, rel=0.01), (name, chosen)
    if file == "ablation":
        assert all(
            count == pytest.approx(COUNTS["tinylstm"], rel=0.01) for count in counts.values()
        )
    if file == "scale":
        sizes = [counts[name] for name in study.scale]
        assert len(sizes) == 5
        assert all(2.5 < b / a < 4 for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "minigpt"])
def test_full_size_model_has_its_count_and_gives_logits(shipped, name):
    settings = shipped.models[name]
    model = build_model(settings, activation("relu"), VOCABULARY, 1)
    assert count_parameters(model) == COUNTS[name]
    logits = model.eval()(some_tokens(1, settings.context))
    assert logits.shape == (1, settings.context, VOCABULARY)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("name", COUNTS)
def test_plain_activations_have_exact_counts_and_gated_ones_within_a_hundredth(shipped, name):
    for chosen in ACTIVATIONS:
        count = count_at_full_size(shipped.models[name], chosen)
        if activation(chosen).gated or activation(chosen).per_unit:
            assert count == pytest.approx(COUNTS[name], rel=0.01), chosen
        elif chosen == "prelu":
            units = count - COUNTS[name]  # one slope per feed-forward unit
            assert 1 <= units <= 8
        else:
            assert count == COUNTS[name], chosen


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_activations_differ_before_and_after_training(name, tiny_corpus):
    settings = STUDY.training_of(name).model_copy(update={"iterations": 3})
    scored = evaluation_probe(tiny_corpus, 16, 16, 32)
    evaluation = probe_windows(tiny_corpus, scored, CONTEXT, torch.device("cpu"))
    size = tiny_corpus.vocabulary_size
    tokens = some_tokens(vocabulary=size)
    before, after = {}, {}
    for chosen in fitting(name):
        model = tiny_model(name, chosen, vocabulary=size)
        with torch.no_grad():
            before[chosen] = model.eval()(tokens)
        run = begin_training(model, settings, stream_seeds("all", 1), torch.device("cpu"))
        list(train(run, tiny_corpus, settings, CONTEXT, evaluation))
        with torch.no_grad():
            after[chosen] = model.eval()(tokens)
        assert (after[chosen] - before[chosen]).abs().max() > 1e-4, chosen
    for outputs in (before, after):
        for one, other in combinations(outputs, 2):
            assert (outputs[one] - outputs[other]).abs().max() > 1e-6, (one, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_token_changes_no_output_before_it_and_some_at_or_after_it(name):
    tokens = some_tokens(2)
    for chosen in ACTIVATIONS:
        model = tiny_model(name, chosen).eval()
        with torch.no_grad():
            reference = model(tokens)
            for t in (0, 1, 7, CONTEXT - 2, CONTEXT - 1):
                changed = tokens.clone()
                changed[:, t] = (changed[:, t] + 1) % VOCABULARY
                outputs = model(changed)
                difference = (outputs - reference).abs()
                assert t == 0 or difference[:, :t].max() <= 1e-6, (chosen, t)
                assert difference[:, t].max() > 1e-6, (chosen, t)


@pytest.mark.parametrize("name", MODELS)
def test_no_gradient_flows_from_an_output_to_a_later_token_while_training(name):
    model = tiny_model(name).train()
    attach_stream(model, MaskStream(1, torch.device("cpu")))
    embedded = []
    token_embedding = next(m for m in model.modules() if isinstance(m, nn.Embedding))

    def keep(_module, _inputs, output):
        output.retain_grad()
        embedded.append(output)

    token_embedding.register_forward_hook(keep)
    t = 9
    model(some_tokens(2))[:, t].square().sum().backward()
    gradient = embedded[0].grad
    assert gradient[:, t + 1 :].abs().max() == 0
    assert gradient[:, t].abs().max() > 0


@pytest.mark.parametrize("name", MODELS)
def test_tensors_that_two_activations_share_start_identical(name):
    reference = dict(tiny_model(name, "relu").named_parameters())
    for chosen in ACTIVATIONS:
        found = dict(tiny_model(name, chosen).named_parameters())
        shared = [n for n in found if n in reference and found[n].shape == reference[n].shape]
        assert all(torch.equal(found[n], reference[n]) for n in shared), chosen
        if activation(chosen).gated or activation(chosen).per_unit:
            # All but the feed-forward units' own widths.
            odd = set(reference) - set(shared)
            assert odd
            assert all("feed_forward.up" in n or "feed_forward.down.weight" in n for n in odd)
        else:
            assert set(shared) == set(reference), chosen


@pytest.mark.parametrize("name", MODELS)
def test_another_seed_draws_every_random_tensor_anew(name):
    one = dict(tiny_model(name, seed=1).named_parameters())
    other = dict(tiny_model(name, seed=2).named_parameters())
    again = dict(tiny_model(name, seed=1).named_parameters())
    for key, tensor in one.items():
        assert torch.equal(tensor, again[key])
        constant = bool((tensor == tensor.flatten()[0]).all())
        assert torch.equal(tensor, other[key]) == constant, key
        assert not constant or tensor.dim() == 1


def test_no_two_tensors_of_a_model_start_with_the_same_values():
    tensors = [p for p in tiny_model("charlm").parameters() if p.dim() > 1]
    for one, other in combinations(tensors, 2):
        assert one.shape != other.shape or not torch.equal(one, other)


@pytest.mark.parametrize("name", ["charlm", "nanotransformer"])
def test_init_std_gives_normal_weights_and_zero_biases(shipped, name):
    model = build_model(shipped.models[name], activation("gelu"), VOCABULARY, 1)
    for key, tensor in model.named_parameters():
        if tensor.dim() > 1:
            error = 4 * 0.02 / math.sqrt(2 * tensor.numel())
            assert tensor.std().item() == pytest.approx(0.02, abs=error), key
            assert tensor.mean().item() == pytest.approx(0, abs=4 * 0.02 / tensor.numel() ** 0.5)
            assert tensor.abs().max() > 0.05  # a uniform with this spread ends at 0.035
        elif "norm.weight" in key:
            assert torch.equal(tensor, torch.ones_like(tensor)), key
        else:
            assert torch.equal(tensor, torch.zeros_like(tensor)), key


@pytest.mark.parametrize("name", ["charlm", "convlm", "hybridlm", "tinylstm"])
def test_default_init_has_the_bounds_of_pytorch(shipped, name):
    settings = shipped.models[name]
    if settings.family == "gpt":
        sizes = settings.sizes | {"init_std": None}
        settings = settings.model_copy(update={"sizes": sizes})
    model = build_model(settings, activation("gelu"), VOCABULARY, 1)
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if isinstance(module, nn.LayerNorm):
            assert torch.equal(own["weight"], torch.ones_like(own["weight"]))
            assert torch.equal(own["bias"], torch.zeros_like(own["bias"]))
        elif isinstance(module, nn.Embedding):
            count = own["weight"].numel()
            assert own["weight"].std().item() == pytest.approx(1, abs=4 / math.sqrt(2 * count))
        else:
            fan_in = module.hidden_size if isinstance(module, nn.LSTM) else None
            for leaf, tensor in own.items():
                bound = 1 / math.sqrt(fan_in or module.in_features)
                largest = tensor.abs().max().item()
                # The largest of n uniform values is below (1 - 8/n) of the bound with p < 1e-3.
                assert bound * (1 - 8 / tensor.numel()) <= largest <= bound, f"{prefix}.{leaf}"


@pytest.mark.parametrize("name", MODELS)
def test_dropout_acts_in_training_only(name):
    model = tiny_model(name)
    rate = STUDY.models[name].sizes["dropout"]
    attach_stream(model, MaskStream(1, torch.device("cpu")))
    tokens = some_tokens()
    with torch.no_grad():
        model.eval()
        still = model(tokens)
        assert torch.equal(model(tokens), still)
        model.train()
        assert torch.equal(model(tokens), still) == (rate == 0)
        assert torch.equal(model(tokens), model(tokens)) == (rate == 0)


def test_dropout_without_a_stream_is_refused_in_training_and_idle_in_evaluation():
    layer = Dropout(0.5)
    x = torch.ones(4)
    assert layer.eval()(x) is x
    with pytest.raises(RuntimeError, match="attach_stream"):
        layer.train()(x)


@pytest.mark.parametrize("name", MODELS)
def test_shorter_input_than_the_context_is_the_start_of_a_longer_one(name):
    model = tiny_model(name).eval()
    tokens = some_tokens()
    with torch.no_grad():
        torch.testing.assert_close(model(tokens[:, :5]), model(tokens)[:, :5])


@given(
    time=st.sampled_from([1, 2, 63, 64, 65, 130]),
    rate=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15)
def test_attention_and_its_gradient_are_those_of_the_definition(time, rate, seed):
    generator = torch.Generator().manual_seed(seed)
    heads = torch.randn(3, 2, time, 4, dtype=torch.float64, generator=generator).requires_grad_()
    drawn = torch.rand(2, time, time, dtype=torch.float64, generator=generator)
    mask = (drawn >= rate).double() / (1 - rate)
    future = torch.full((time, time), -math.inf, dtype=torch.float64).triu(1)

    def part(shape: torch.Size, _dtype: torch.dtype) -> torch.Tensor:
        return mask[:, shape[2] - shape[1] : shape[2], : shape[2]].clone()

    query, key, value = heads
    weights = torch.softmax(query @ key.mT / 2 + future, dim=-1)
    expected = (weights * mask) @ value
    found = causal_attention(heads, future, part if rate else None)
    torch.testing.assert_close(found, expected)
    upper = torch.randn(expected.shape, dtype=torch.float64, generator=generator)
    one, other = (torch.autograd.grad(each, heads, upper)[0] for each in (found, expected))
    torch.testing.assert_close(one, other)


def test_convolution_is_that_of_conv1d_padded_on_the_left():
    layer = CausalConv(3, 5, kernel=4, dilation=2)
    x = torch.randn(2, 11, 3)
    # projection.weight [out, tap · inputs] is conv1d's [out, inputs, tap].
    weight = layer.projection.weight.view(5, 4, 3).transpose(1, 2)
    padded = nn.functional.pad(x.transpose(1, 2), (6, 0))
    expected = nn.functional.conv1d(padded, weight, layer.projection.bias, dilation=2)
    torch.testing.assert_close(layer(x), expected.transpose(1, 2))


@pytest.mark.parametrize(
    ("chosen", "function"),
    [
        ("gelu", nn.functional.gelu),
        ("geglu", nn.functional.gelu),
        ("swiglu", nn.functional.silu),
        ("reglu", torch.relu),
    ],
)
def test_feed_forward_unit_computes_its_formula(chosen, function):
    unit = FeedForward(6, 20, activation(chosen), dropout=0.0)
    x = torch.randn(2, 3, 6)
    inner = function(x @ unit.up.weight.T + unit.up.bias)
    if activation(chosen).gated:
        inner = inner * (x @ unit.gate.weight.T + unit.gate.bias)
    else:
        assert unit.gate is None
    torch.testing.assert_close(unit(x), inner @ unit.down.weight.T + unit.down.bias)


USER_FAMILIES = """
import torch
from torch import nn
from reprocore.training.models.activations import activation as built_in
from reprocore.training.models.activations import matched_hidden


class Good(nn.Module):
    uses_own = True
    sees = 0

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

    def forward(self, tokens):
        x, _ = self.cell(self.embedding(tokens))
        h = self.act(self.up(x))
        if self.gate is not None:
            h = h * self.gate(x)
        return self.head(x + self.down(h))


class WithoutActivation(Good):
    def forward(self, tokens):
        x, _ = self.cell(self.embedding(tokens))
        return self.head(x)


class FunctionalRelu(Good):
    def forward(self, tokens):
        x, _ = self.cell(self.embedding(tokens))
        return self.head(x + self.down(torch.relu(self.up(x))))


class FallsThroughToRelu(Good):
    # What the replaced study did: whatever is asked for, ReLU is used.
    def make(self, activation):
        return built_in("relu").make()


class SeesTheNext(Good):
    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + torch.roll(x, -1, dims=1)
        x, _ = self.cell(x)
        return self.head(x + self.down(self.act(self.up(x))))


class SeesBothSides(Good):
    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x - x.mean(dim=1, keepdim=True)
        return self.head(x + self.down(self.act(self.up(x))))


class LooksFarAhead(Good):
    def forward(self, tokens):
        x = self.embedding(tokens)
        ahead = torch.zeros_like(x)
        ahead[:, :-20] = x[:, 20:]
        x, _ = self.cell(x + ahead)
        return self.head(x + self.down(self.act(self.up(x))))


class StartsSilent(Good):
    # As with a gain that starts at 0 (ReZero): the activation matters from the second step on.
    def __init__(self, *arguments, **sizes):
        super().__init__(*arguments, **sizes)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, tokens):
        x, _ = self.cell(self.embedding(tokens))
        h = self.act(self.up(x))
        if self.gate is not None:
            h = h * self.gate(x)
        return self.head(x + self.gain * self.down(h))


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


def test_unit_too_narrow_for_the_parameters_of_its_activation_is_refused(tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(STUDY.models["convlm"], "apl", tiny_corpus)
    assert "with 'apl' has" in one_line(error)
    assert "1% is allowed" in one_line(error)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize("name", ["WithoutActivation", "FunctionalRelu", "FallsThroughToRelu"])
@pytest.mark.parametrize("chosen", ["gelu", "relu", "prelu", "smelu_1"])
def test_check_model_refuses_a_family_that_ignores_its_activation(name, chosen, tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(user_settings(name), chosen, tiny_corpus)
    assert f"activation {chosen!r} never reaches the model's output" in one_line(error)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize(
    ("name", "context"),
    [("SeesTheNext", CONTEXT), ("SeesBothSides", CONTEXT), ("LooksFarAhead", 64)],
)
def test_check_model_refuses_a_family_that_sees_the_future(name, context, tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(user_settings(name, context), "gelu", tiny_corpus)
    assert "sees the future" in one_line(error)


@pytest.mark.usefixtures("user_families")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LosesItsLoss", "the loss of the first training step is nan"),
        ("LosesAGradient", "the gradient of embedding.weight is not finite"),
        ("GivesTheLastOnly", "the logits have shape (1, 29); must be (1, 16, 29)"),
    ],
)
def test_check_model_refuses_a_family_that_cannot_be_trained(name, reason, tiny_corpus):
    with pytest.raises(ReprocoreError) as error:
        check(user_settings(name), "gelu", tiny_corpus)
    assert reason in one_line(error)


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
def test_gated_user_family_beyond_a_hundredth_is_refused():
    unmatched = user_settings("Good", matched=False)
    assert build_model(unmatched, activation("gelu"), VOCABULARY, 1)
    with pytest.raises(ReprocoreError) as error:
        build_model(unmatched, activation("swiglu"), VOCABULARY, 1)
    text = one_line(error)
    assert "'swiglu'" in text
    assert "1%" in text
    assert build_model(user_settings("Good"), activation("swiglu"), VOCABULARY, 1)


@pytest.mark.usefixtures("user_families")
def test_user_family_works_from_config_to_files(train_cell):
    models = {"mine": {"family": "user_family:Good", "context": CONTEXT, "sizes": {"width": 16}}}
    study = parse_study(tiny_config(models=models))
    folder, described = train_cell(study, "mine", "swiglu")
    assert described["val_loss"] > 0
    assert described["settings"]["builder"] == "user_family:Good"
    assert {path.name for path in folder.iterdir()} == set(CELL_FILES)


USER_PARAMETERS = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
    def forward(self, x):
        return self.scale * x.tanh()
"""


def test_parameters_of_a_custom_activation_start_where_its_class_puts_them(user_module):
    user_module("own_activation", USER_PARAMETERS)
    custom = {"mine": {"path": "own_activation:Scaled"}}
    study = tiny_study(custom_activations=custom, activations=["relu", "mine"])
    model = build_model(study.models["charlm"], study_activation(study, "mine"), VOCABULARY, 1)
    scales = [p.item() for key, p in model.named_parameters() if key.endswith("scale")]
    assert scales == [2.0, 2.0]
