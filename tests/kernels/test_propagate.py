"""The open functions: a layer written outside, a missing rule, and which layer has which analysis."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from cases import ACTIVATIONS, NETS
from equitangents import Kernel, monte_carlo, nngp, nngp_and_ntk
from equitangents import nets as nets_folder
from equitangents.kernels import Needs, dual, needs, propagate
from equitangents.nets import (
    AbstractActivation,
    AbstractLayer,
    Conv,
    Dense,
    GlobalAvgPool,
    MaximalUpdate,
    MaxPool,
    Relu,
    Serial,
)


class Roll(AbstractLayer):
    """Moves all sites of a ring by one: a layer from outside."""

    def init(self, key, shape):
        return shape, {}

    def apply(self, params, x):
        return jnp.roll(x, 1, axis=0)


class Square(AbstractActivation):
    """A nonlinearity from outside, with a closed form."""

    def phi(self, z):
        return z**2


class Mystery(AbstractLayer):
    """A layer that says nothing about infinite width."""

    def init(self, key, shape):
        return shape, {}

    def apply(self, params, x):
        return x


@propagate.register(Roll)
def _(layer, k):
    def roll(a):
        return None if a is None else jnp.roll(a, (1,) * a.ndim, tuple(range(a.ndim)))

    return Kernel(*map(roll, (k.k11, k.k12, k.k22, k.d, k.ntk)), k.sites, k.gaussian)


@needs.register(Roll)
def _(layer, after):
    return after


@dual.register(Square)
def _(layer, k11, k22, d):
    k12 = jnp.sqrt(k11 * k22) * (1 - d)
    return k11 * k22 + 2 * k12**2, 4 * k12


@pytest.mark.parametrize("pool", [True, False])
def test_a_layer_from_outside_has_its_kernels(pool, getkey):
    end = (GlobalAvgPool(), Dense(2)) if pool else (Conv(2, 2, padding="VALID"),)
    net = Serial(Conv(8, 2, padding="VALID", sigma_b=0.3), Relu(), Roll(), *end)
    x = jr.normal(getkey(), (2, 4, 2))
    finite = monte_carlo(net, x, key=getkey(), networks=3000)
    for measured, error, expected in zip(finite[:2], finite[2:], nngp_and_ntk(net, x), strict=True):
        assert np.all(np.abs(measured - expected) < 5 * error)


def test_a_nonlinearity_from_outside_has_its_closed_form_and_its_quadrature(getkey):
    x = jr.normal(getkey(), (3, 3))
    found = nngp_and_ntk(Serial(Dense(1), Square(), Dense(1)), x)
    quadrature = nngp_and_ntk(Serial(Dense(1), nets_folder.Activation(jnp.square), Dense(1)), x)
    for one, other in zip(found, quadrature, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_what_a_layer_from_outside_needs_is_asked_of_the_layers_before():
    assert needs(Serial(Roll(), GlobalAvgPool()), Needs(False, "none")) == Needs(True, "none")
    assert needs(Roll(), Needs(True, "pairs")) == Needs(True, "pairs")
    assert needs(Mystery(), Needs(True, "none")) == Needs(True, "sites")


def test_a_missing_rule_is_an_error_that_names_the_decorator():
    with pytest.raises(
        NotImplementedError, match=r"Mystery has no infinite-width rule; .*@propagate.register\(Mystery\)"
    ):
        nngp(Serial(Dense(1), Mystery()), jnp.ones((1, 3)))


def layers_inside(net):
    children = getattr(net, "layers", None) or ((net.layer,) if hasattr(net, "layer") else ())
    return {type(net)}.union(*map(layers_inside, children))


def test_every_layer_and_nonlinearity_is_under_the_laws():
    """A new one is put there by a line in tests/cases.py."""
    kinds = {value for value in vars(nets_folder).values() if isinstance(value, type)}
    concrete = {kind for kind in kinds if issubclass(kind, AbstractLayer) and not kind.__name__.startswith("Abstract")}
    examples = {type(phi) for phi in ACTIVATIONS.values()}.union(*(layers_inside(c.make(2)) for c in NETS.values()))
    assert concrete - examples == {MaximalUpdate, MaxPool}  # they have no kernel
