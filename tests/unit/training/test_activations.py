"""Activations against formulas written here, and a user's own."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from conftest import one_line, tiny_config, tiny_study
from reprocore.errors import ReprocoreError
from reprocore.study.study import parse_study
from reprocore.training.models.activations import (
    activation,
    load_dotted,
    matched_hidden,
    smelu,
    study_activation,
)
from reprocore.training.models.build import build_model
from reprocore.vocabulary import GATED_ACTIVATIONS, PLAIN_ACTIVATIONS, smelu_beta

BETAS = st.floats(0.01, 100)
INPUTS = st.floats(-1000, 1000)


def smelu_by_definition(x: float, beta: float) -> float:
    if x <= -beta:
        return 0.0
    if x >= beta:
        return x
    return (x + beta) ** 2 / (4 * beta)


def smelu_slope_by_definition(x: float, beta: float) -> float:
    if x <= -beta:
        return 0.0
    if x >= beta:
        return 1.0
    return (x + beta) / (2 * beta)


def value_and_slope(x: float, beta: float) -> tuple[float, float]:
    at = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    value = smelu(at, beta)
    value.sum().backward()
    return value.item(), at.grad.item()


@given(x=INPUTS, beta=BETAS)
def test_smelu_and_its_slope_follow_the_definition(x, beta):
    value, slope = value_and_slope(x, beta)
    # (x + β)² loses digits where x is near -β: an absolute error of a rounding of β.
    assert value == pytest.approx(smelu_by_definition(x, beta), rel=1e-12, abs=1e-13)
    assert slope == pytest.approx(smelu_slope_by_definition(x, beta), rel=1e-12, abs=1e-13)


@given(beta=BETAS)
def test_smelu_is_exact_at_its_knots_and_continuous_in_value_and_slope(beta):
    assert value_and_slope(-beta, beta) == (0.0, 0.0)
    value, slope = value_and_slope(beta, beta)
    assert value == pytest.approx(beta, rel=1e-15)
    assert slope == 1.0
    for knot in (-beta, beta):
        below = value_and_slope(np.nextafter(knot, -math.inf), beta)
        above = value_and_slope(np.nextafter(knot, math.inf), beta)
        assert below == pytest.approx(above, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("beta", [0.25, 0.5, 1.0, 2.0])
def test_smelu_gradient_is_that_of_its_value(beta):
    # Away from the knots, where finite differences of the slope straddle two pieces.
    grid = torch.linspace(-3, 3, 41, dtype=torch.float64) + 0.0123
    assert torch.autograd.gradcheck(lambda x: smelu(x, beta), grid.requires_grad_())


def test_smelu_keeps_shape_and_dtype_and_does_not_change_its_input():
    x = torch.randn(3, 1, 5)
    before = x.clone()
    assert smelu(x, 0.5).shape == (3, 1, 5)
    assert smelu(x, 0.5).dtype == torch.float32
    assert torch.equal(x, before)


@pytest.mark.parametrize("beta", [0.0, -1.0, math.nan])
def test_smelu_needs_a_positive_beta(beta):
    with pytest.raises(ValueError, match="above 0"):
        smelu(torch.zeros(1), beta)


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x)


REFERENCE = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    "prelu": lambda x: np.where(x > 0, x, 0.25 * x),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "tanh": lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "smelu_05": np.vectorize(lambda x: smelu_by_definition(x, 0.5)),
    "smelu_1": np.vectorize(lambda x: smelu_by_definition(x, 1.0)),
    "smelu_025": np.vectorize(lambda x: smelu_by_definition(x, 0.25)),
}
GATES = {
    "swiglu": REFERENCE["swish"],
    "geglu": REFERENCE["gelu"],
    "reglu": REFERENCE["relu"],
    "smeglu_2": np.vectorize(lambda x: smelu_by_definition(x, 2.0)),
}


@pytest.mark.parametrize("name", [*REFERENCE, *GATES])
def test_activation_computes_its_formula(name):
    x = np.linspace(-5, 5, 1001)
    module = activation(name).make().double()
    computed = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(computed, (REFERENCE | GATES)[name](x), rtol=1e-9, atol=1e-12)


def test_every_listed_activation_has_a_reference_here():
    assert set(PLAIN_ACTIVATIONS) <= {*REFERENCE, "apl"}  # whose tests are below
    assert set(GATED_ACTIVATIONS) <= set(GATES)


@pytest.mark.parametrize("name", [*PLAIN_ACTIVATIONS, "smelu_05", "smelu_2"])
def test_plain_names_resolve_to_plain_activations(name):
    found = activation(name)
    assert (found.name, found.gated) == (name, False)
    assert isinstance(found.make(), nn.Module)
    assert found.make() is not found.make()


@pytest.mark.parametrize("name", [*GATED_ACTIVATIONS, "smeglu_05", "smeglu_2"])
def test_gated_names_resolve_to_gated_activations(name):
    found = activation(name)
    assert (found.name, found.gated) == (name, True)


@pytest.mark.parametrize(
    ("name", "beta"),
    [
        ("smelu_05", 0.5),
        ("smelu_1", 1.0),
        ("smelu_025", 0.25),
        ("smelu_2", 2.0),
        ("smelu_10", 10.0),
        ("smelu_01", 0.1),
        ("smelu_005", 0.05),
        ("smeglu_05", 0.5),
        ("smeglu_3", 3.0),
        ("smelu_0", 0.0),
        ("smelu", None),
        ("smelu_", None),
        ("smelu_0.5", None),
        ("smelu_1x", None),
        ("xsmelu_1", None),
        ("relu", None),
    ],
)
def test_beta_of_a_name(name, beta):
    assert smelu_beta(name) == beta


@pytest.mark.parametrize("name", ["smelu_05", "smelu_025", "smelu_2", "smelu_10", "smeglu_05"])
def test_named_smelu_has_the_beta_of_its_name(name):
    beta = smelu_beta(name)
    edge = torch.tensor([-beta, 0.0, beta], dtype=torch.float64)
    assert activation(name).make()(edge).tolist() == [0.0, beta / 4, beta]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rellu", "relu"), ("swigly", "swiglu"), ("smelu_0", "smelu"), ("gellu", "gelu")],
)
def test_unknown_activation_names_the_nearest_known_one(name, meant):
    with pytest.raises(ReprocoreError) as error:
        activation(name)
    text = one_line(error)
    assert repr(name) in text
    assert f"did you mean '{meant}" in text
    assert "softplus" in text


def test_unknown_activation_unlike_any_lists_the_known_ones():
    with pytest.raises(ReprocoreError) as error:
        activation("zzz")
    assert "did you mean" not in one_line(error)
    assert "allowed: relu, gelu" in one_line(error)


USER_CODE = """
import torch
from torch import nn

def cube(x):
    return x ** 3

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
    def forward(self, x):
        return self.scale * x.tanh()

NUMBER = 3
"""


def custom_study(path: str, gated: bool):
    custom = {"mine": {"path": path, "gated": gated}}
    return parse_study(tiny_config(custom_activations=custom, activations=["relu", "mine"]))


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(
    ("name", "expected"), [("cube", lambda x: x**3), ("Scaled", lambda x: 2 * torch.tanh(x))]
)
def test_custom_activation_by_dotted_path(user_module, name, expected, gated):
    user_module("own_activation", USER_CODE)
    found = study_activation(custom_study(f"own_activation:{name}", gated), "mine")
    assert (found.name, found.gated) == ("mine", gated)
    x = torch.linspace(-2, 2, 9)
    module = found.make()
    assert isinstance(module, nn.Module)
    torch.testing.assert_close(module(x), expected(x))


def test_parameters_of_a_custom_activation_start_where_its_class_puts_them(user_module):
    user_module("own_activation", USER_CODE)
    study = custom_study("own_activation:Scaled", False)
    model = build_model(study.models["charlm"], study_activation(study, "mine"), 65, 1)
    scales = [p.item() for key, p in model.named_parameters() if key.endswith("scale")]
    assert scales == [2.0, 2.0]


def test_built_in_activation_of_a_study_with_custom_ones(user_module):
    user_module("own_activation", USER_CODE)
    found = study_activation(custom_study("own_activation:cube", False), "relu")
    assert found.make()(torch.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    "path",
    [
        "no_such_module_at_all:f",
        "own_activation:no_such_name",
        "own_activation:NUMBER",
        "not_python:f",
        "raises_on_import:f",
    ],
)
def test_bad_dotted_path_is_one_line_that_names_key_and_path(user_module, path):
    user_module("own_activation", USER_CODE)
    user_module("not_python", "def f(x:\n    return x\n")
    user_module("raises_on_import", "raise ValueError('first line\\nsecond line')\n")
    with pytest.raises(ReprocoreError) as error:
        study_activation(custom_study(path, False), "mine")
    text = one_line(error)
    assert text.startswith("custom_activations.mine.path: ")
    assert repr(path) in text


def test_load_dotted_finds_what_the_path_names(monkeypatch):
    monkeypatch.setenv("REPROCORE_ALLOW", "math")
    assert load_dotted("math:sqrt", "key") is math.sqrt


def apl_by_definition(x, slopes, hinges):
    """h(x) and its derivatives by x, a and b, of one number (Agostinelli et al. 2015, eq. 1)."""
    value, slope = max(0.0, x), float(x > 0)
    by_slope, by_hinge = [], []
    for a, b in zip(slopes, hinges, strict=True):
        value += a * max(0.0, b - x)
        slope -= a * (b > x)
        by_slope.append(max(0.0, b - x))
        by_hinge.append(a * (b > x))
    return value, slope, by_slope, by_hinge


APL_NUMBERS = st.lists(st.floats(-3, 3), min_size=2, max_size=2)


@given(x=st.floats(-5, 5).filter(bool), slopes=APL_NUMBERS, hinges=APL_NUMBERS)
def test_apl_and_its_gradients_follow_the_definition(x, slopes, hinges):
    assume(x not in hinges)  # there the function has no derivative
    module = activation("apl").make().double()
    with torch.no_grad():
        module.slopes[:, 0], module.hinges[:, 0] = torch.tensor(slopes), torch.tensor(hinges)
    a, b = module.slopes[:, 0].tolist(), module.hinges[:, 0].tolist()
    at = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    value = module(at)
    value.sum().backward()
    expected = apl_by_definition(x, a, b)
    found = (value.item(), at.grad.item(), *(p.grad[:, 0].tolist() for p in module.parameters()))
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-12, abs=1e-12)


def test_apl_gradients_are_those_of_finite_differences_and_each_unit_has_its_own():
    torch.manual_seed(0)
    module = activation("apl").make(3).double()
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    parameters = tuple(module.parameters())
    assert [tuple(p.shape) for p in parameters] == [(2, 3), (2, 3)]
    names = [name for name, _ in module.named_parameters()]

    def of(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(of, (x, *parameters))
    assert torch.equal(module(x)[:, 1:2], of(x[:, 1:2], *(p[:, 1:2] for p in parameters)))


def test_apl_starts_from_the_stream_init_whatever_the_family_does_with_its_weights():
    study = tiny_study()
    starts = []
    for seed in (1, 1, 2):
        model = build_model(study.models["charlm"], activation("apl"), 65, seed)
        starts.append(model.blocks[0].feed_forward.activation)
    assert torch.equal(starts[0].slopes, starts[1].slopes)
    assert not torch.equal(starts[0].hinges, starts[2].hinges)
    wide = activation("apl").make(10_000)
    assert wide.slopes.abs().max() <= 0.25
    assert wide.slopes.std().item() == pytest.approx(0.25 / math.sqrt(3), rel=0.02)
    assert wide.hinges.std().item() == pytest.approx(0.5, rel=0.02)


PER_UNIT = """
import torch
from torch import nn

class Shifted(nn.Module):
    per_unit = 1
    def __init__(self, units):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(units))
    def forward(self, x):
        return (x + self.shift).tanh()
"""


def test_custom_activation_with_parameters_per_unit_is_told_how_many(user_module):
    user_module("own_activation", PER_UNIT)
    found = study_activation(custom_study("own_activation:Shifted", False), "mine")
    assert found.per_unit == 1
    assert found.make(7).shift.shape == (7,)


@given(
    name=st.sampled_from(["relu", "swiglu", "apl"]),
    hidden=st.integers(1, 5000),
    inputs=st.integers(1, 5000),
    outputs=st.integers(1, 5000),
)
def test_matched_width_is_the_one_nearest_in_parameters(name, hidden, inputs, outputs):
    own = {"relu": inputs + outputs, "swiglu": 2 * inputs + outputs, "apl": inputs + outputs + 4}

    def off(width: int) -> int:
        return abs(width * own[name] - hidden * (inputs + outputs))

    found = matched_hidden(activation(name), hidden, inputs, outputs)
    assert found == hidden or name != "relu"
    assert found >= 1
    assert all(off(found) <= off(other) for other in (found - 1, found + 1) if other >= 1)
