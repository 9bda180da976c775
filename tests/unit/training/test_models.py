"""Every model with every activation: sizes, liveness, causality; layers against definitions."""

import itertools
import math
import re
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import STUDY, VOCABULARY, shipped_models, some_tokens, tiny_model
from torch import nn

from conftest import ACTIVATIONS, CONTEXT, MODELS, RECURRENT, ROOT, fitting
from reprocore.study.sections import ModelSettings
from reprocore.study.study import load_study
from reprocore.training.loop import evaluation_probe, probe_windows, train
from reprocore.training.models.activations import activation, load_dotted
from reprocore.training.models.attention import causal_attention
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.models.layers import CausalConv, Dropout, FeedForward, attach_stream
from reprocore.training.randomness import MaskStream, stream_seeds
from reprocore.training.state import begin_training
from reprocore.vocabulary import FAMILY_BUILDERS

COUNTS = {
    "charlm": 429_121,
    "nanotransformer": 428_800,
    "convlm": 429_281,
    "hybridlm": 429_377,
    "tinylstm": 176_169,
    "minigpt": 10_788_929,
}


def count_at_full_size(settings: ModelSettings, name: str) -> int:
    builder = load_dotted(FAMILY_BUILDERS[settings.family], "family")
    with torch.device("meta"):
        model = builder(VOCABULARY, settings.context, activation(name), **settings.sizes)
    return count_parameters(model)


@pytest.mark.parametrize("file", ["config", "ablation", "scale"])
def test_counts_of_a_shipped_configuration_are_those_of_its_comments(file):
    """Plain activations have them exactly, gated ones within a hundredth."""
    path = ROOT / "config" / f"{file}.yaml"
    written = dict(re.findall(r"^  (\w+): # ([\d,]+)", path.read_text("utf-8"), re.MULTILINE))
    study = load_study(path)
    assert set(written) == set(study.models)
    counts = {name: int(text.replace(",", "")) for name, text in written.items()}
    every = {*ACTIVATIONS, *study.activations}
    for (name, count), chosen in itertools.product(counts.items(), every):
        found = count_at_full_size(study.models[name], chosen)
        if activation(chosen).gated or activation(chosen).per_unit:
            assert found == pytest.approx(count, rel=0.01), (name, chosen)
        elif chosen == "prelu":
            assert 1 <= found - count <= 8, name  # one slope per feed-forward unit
        else:
            assert found == count, (name, chosen)
    if file == "config":
        assert counts == COUNTS
        assert set(counts) == set(MODELS) - set(RECURRENT)
    if file == "ablation":
        wanted = pytest.approx(COUNTS["tinylstm"], rel=0.01)
        assert all(count == wanted for count in counts.values())
    if file == "scale":
        sizes = [counts[name] for name in study.scale]
        assert len(sizes) == 5
        assert all(2.5 < b / a < 4 for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "minigpt"])
def test_full_size_model_has_its_count_and_gives_logits(name):
    settings = shipped_models()[name]
    model = build_model(settings, activation("relu"), VOCABULARY, 1)
    assert count_parameters(model) == COUNTS[name]
    logits = model.eval()(some_tokens(1, settings.context))
    assert logits.shape == (1, settings.context, VOCABULARY)
    assert logits.dtype == torch.float32


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
def test_shorter_input_than_the_context_is_the_start_of_a_longer_one(name):
    model = tiny_model(name).eval()
    tokens = some_tokens()
    with torch.no_grad():
        torch.testing.assert_close(model(tokens[:, :5]), model(tokens)[:, :5])


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
