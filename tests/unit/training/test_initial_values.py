"""Initial values: shared by activations, anew for each seed, and distributed as said."""

import math
from itertools import combinations

import pytest
import torch
from tiny_models import VOCABULARY, shipped_models, tiny_model
from torch import nn

from conftest import ACTIVATIONS, MODELS
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model


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
def test_init_std_gives_normal_weights_and_zero_biases(name):
    model = build_model(shipped_models()[name], activation("gelu"), VOCABULARY, 1)
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
def test_default_init_has_the_bounds_of_pytorch(name):
    settings = shipped_models()[name]
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
