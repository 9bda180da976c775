"""Random streams: independent by name, following the seed by arm; dropout masks without bias."""

from itertools import combinations
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import ACTIVATIONS, CONTEXT, MODELS, tiny_study
from reprocore.study.base import Arm
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model
from reprocore.training.models.layers import attach_stream
from reprocore.training.randomness import (
    FIXED_SEED,
    MaskStream,
    numpy_generator,
    sequence,
    stream_seeds,
    torch_generator,
)
from reprocore.vocabulary import STREAMS

CPU = torch.device("cpu")
# Of these two, any change means that every study must be run again.
ORDER_OF_SEED_1 = [462, 72, 429, 223, 301]
MASK_OF_SEED_1 = [2, 2, 0, 2, 0, 0, 2, 0, 0, 2, 0, 0]
SEEDS = st.integers(0, 2**32 - 1)


def mask(probability: float, count: int, seed: int = 1) -> torch.Tensor:
    return MaskStream(seed, CPU).mask(torch.Size([count]), probability)


@pytest.mark.parametrize(
    ("arm", "following"),
    [
        ("all", {"init", "order", "dropout"}),
        ("init", {"init"}),
        ("order", {"order"}),
        ("dropout", {"dropout"}),
        ("none", set()),
    ],
)
def test_arm_says_which_streams_follow_the_seed(arm, following):
    assert stream_seeds(arm, 7) == {
        name: 7 if name in following else FIXED_SEED for name in ("init", "order", "dropout")
    }


def test_arms_of_the_config_are_those_of_the_streams():
    assert set(get_args(Arm)) == {"all", "none", *STREAMS}
    with pytest.raises(ValueError, match="unknown arm 'both'"):
        stream_seeds("both", 1)


def test_streams_seeds_and_keys_give_unrelated_numbers():
    drawn = {
        (stream, seed, key): sequence(stream, seed, key).generate_state(1000) / 2**32
        for stream in STREAMS
        for seed in (0, 1, 2, 2**32 - 1)
        for key in ("", "head.weight", "head.bias")
    }
    for one, other in combinations(drawn, 2):
        # 5 standard errors of a correlation of independent numbers.
        assert abs(np.corrcoef(drawn[one], drawn[other])[0, 1]) < 5 / np.sqrt(1000), (one, other)


def test_stream_name_and_key_do_not_run_together():
    states = {
        tuple(sequence(stream, 1, key).generate_state(2))
        for stream, key in [("init", "a"), ("init/a", ""), ("inita", ""), ("init", "/a")]
    }
    assert len(states) == 4


@given(seed=SEEDS, stream=st.sampled_from(STREAMS))
def test_equal_arguments_give_equal_numbers(seed, stream):
    draws = [numpy_generator(stream, seed).integers(0, 2**62, 4).tolist() for _ in range(2)]
    assert draws[0] == draws[1]
    tensors = [torch.rand(4, generator=torch_generator(stream, seed, "k")) for _ in range(2)]
    assert torch.equal(*tensors)


def test_numbers_stay_the_same_from_version_to_version():
    assert numpy_generator("order", 1).integers(0, 1000, 5).tolist() == ORDER_OF_SEED_1
    assert mask(0.5, 12).tolist() == MASK_OF_SEED_1


@given(probability=st.floats(0, 0.999), seed=SEEDS, count=st.integers(1, 300))
@settings(max_examples=60)
def test_mask_holds_only_zero_and_the_inverse_of_the_kept_share(probability, seed, count):
    rounded = round(probability * 2**16) / 2**16
    values = MaskStream(seed, CPU).mask(torch.Size([count]), probability)
    assert values.shape == (count,)
    assert values.dtype == torch.float32
    assert set(values.tolist()) <= {0.0, torch.tensor(1 / (1 - rounded)).item()}


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.2, 0.5, 0.9, 1 / 3])
def test_drop_share_and_mean_are_unbiased_overall_and_in_each_lane(probability):
    count = 400_000
    values = mask(probability, count).numpy()
    rounded = round(probability * 2**16) / 2**16
    # Index mod 4: masks are cut from 64-bit words of four 16-bit lanes.
    for part in (values, *(values[lane::4] for lane in range(4))):
        dropped = int((part == 0).sum())
        low, high = stats.binom.interval(1 - 1e-6, len(part), rounded)
        assert low <= dropped <= high
        error = 5 * np.sqrt(rounded / (1 - rounded) / len(part))
        assert part.mean(dtype=np.float64) == pytest.approx(1, abs=error + 1e-7)


def test_neighbouring_elements_of_a_mask_are_independent():
    kept = (mask(0.3, 200_000) > 0).double()
    for lag in (1, 2, 3, 4, 5, 8):
        correlation = torch.corrcoef(torch.stack([kept[:-lag], kept[lag:]]))[0, 1]
        assert abs(correlation) < 5 / np.sqrt(200_000)


def test_successive_masks_differ_and_the_sequence_repeats_by_seed():
    shape = torch.Size([3, 5, 7])
    one, again, other = MaskStream(1, CPU), MaskStream(1, CPU), MaskStream(2, CPU)
    first, second = one.mask(shape, 0.4), one.mask(shape, 0.4)
    assert first.shape == shape
    assert not torch.equal(first, second)
    assert torch.equal(first, again.mask(shape, 0.4))
    assert torch.equal(second, again.mask(shape, 0.4))
    assert not torch.equal(first, other.mask(shape, 0.4))


def test_masks_leave_the_global_generators_alone():
    torch.manual_seed(3)
    np.random.seed(3)
    expected = torch.rand(1).item(), np.random.random()
    torch.manual_seed(3)
    np.random.seed(3)
    mask(0.5, 100)
    assert (torch.rand(1).item(), np.random.random()) == expected


@pytest.mark.parametrize("probability", [0.9999, 0.999999, 1 - 1e-12])
def test_dropout_near_one_gives_finite_values(probability):
    assert torch.isfinite(mask(probability, 1000)).all()


class KeptMasks(MaskStream):
    """Keeps a copy of each mask."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.drawn: list[torch.Tensor] = []

    def mask(self, *arguments) -> torch.Tensor:
        drawn = super().mask(*arguments)
        self.drawn.append(drawn.clone())
        return drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mask_drops_the_same_elements_whatever_the_dtype(dtype):
    one = MaskStream(1, CPU).mask(torch.Size([1000]), 0.2, dtype)
    assert one.dtype == dtype
    assert torch.equal(one == 0, mask(0.2, 1000) == 0)


@pytest.mark.parametrize("name", [n for n, m in MODELS.items() if m["sizes"].get("dropout")])
def test_masks_do_not_depend_on_the_activation(name):
    study = tiny_study()
    drawn = {}
    for chosen in ACTIVATIONS:
        model = build_model(study.models[name], activation(chosen), 65, 1).train()
        stream = KeptMasks(1, CPU)
        attach_stream(model, stream)
        masks = stream.drawn
        with torch.no_grad():
            model(torch.zeros(2, CONTEXT, dtype=torch.int64))
        drawn[chosen] = masks
    reference = drawn["relu"]
    assert len(reference) >= 3
    for masks in drawn.values():
        assert len(masks) == len(reference)
        assert all(torch.equal(a, b) for a, b in zip(masks, reference, strict=True))
