"""Networks over a group: exact with one hidden layer, by extrapolation in 1/width behind a group convolution."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import kernel
from equitangents.corrections import expand, extrapolate
from equitangents.equivariant import ActionLift, GroupConv, GroupPool, Lift, RegularConv
from equitangents.groups import image_action, point_group
from equitangents.nets import (
    Attention,
    Conv,
    Dense,
    DepthwiseConv,
    Erf,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Relu,
    Residual,
    Serial,
    Sin,
)

C4 = point_group("C4")
TURN = image_action(C4)
TOP = Dense(1, 1.2, 0.1, 0.6, 0.2)
X = jr.normal(jr.key(0), (2, 3, 3, 1))


def body(width, phi, hidden):
    """Lift, nonlinearity, as many group convolutions, pool."""
    layers = [ActionLift(TURN, width, sigma_w=1.4, sigma_b=0.3, lambda_w=0.7, lambda_b=0.3), phi]
    for _ in range(hidden):
        layers += [RegularConv(C4, width, sigma_w=1.3, sigma_b=0.2, lambda_w=0.9), phi]
    return Serial(*layers, GroupPool())


def whole(width, phi, hidden):
    return Serial(*body(width, phi, hidden).layers, TOP)


@functools.partial(jax.jit, static_argnums=(0, 1))
def sampled(net, draws, key):
    """Covariance and NTK given the features before `TOP`, and the sums whose means are F and B, for random networks."""
    width, c_w = net.layers[0].width, TOP.sigma_w**2
    n = len(X)

    def one(key):
        params = net.init(key, X.shape[1:])[1]
        features = jax.vmap(lambda x: net.apply(params, x))(X)
        slopes = jax.vmap(lambda x: jax.jacrev(lambda p: net.apply(p, x))(params))(X)
        flat = jnp.concatenate([s.reshape(n * width, -1) for s in jax.tree.leaves(slopes)], axis=1)
        h = (flat @ flat.T).reshape(n, width, n, width)
        covariance = features @ features.T / width
        ntk = TOP.lambda_b + TOP.lambda_w * covariance + c_w * jnp.einsum("aibi->ab", h) / width
        f = c_w**2 / width * jnp.einsum("aj,ck,bjdk->abcd", features, features, h)
        b = c_w**2 / width * jnp.einsum("ajbk,cjdk->acbd", h, h)
        return TOP.sigma_b**2 + c_w * covariance, ntk, f, b

    return jax.lax.map(one, jr.split(key, draws), batch_size=50)


def draws_of(net, draws, key, limit):
    """Draws whose means are the tensors of `limit`, at this width."""
    width = net.layers[0].width
    g, h, f, b = (np.asarray(part) for part in sampled(net, draws, key))
    dg, dh = g - g.mean(0), h - h.mean(0)

    def product(one, two):
        return width * one[:, :, :, None, None] * two[:, None, None]

    shifts = {"G1": width * (g - np.asarray(limit.K)), "H1": width * (h - np.asarray(limit.Theta))}
    return shifts | {"V": product(dg, dg), "D": product(dg, dh), "A": product(dh, dh), "F": f, "B": b}


def mean_and_error(draws):
    return draws.mean(0), draws.std(0) / len(draws) ** 0.5


@pytest.mark.parametrize("phi", [Relu(), Sin()], ids=["relu", "sin"])
def test_behind_a_lift_all_tensors_are_exact_at_any_width(phi, getkey):
    width = 6
    found = expand(whole(width, phi, 0), X)[-1]
    assert found.width == width and found.sites == ()
    for name, draws in draws_of(body(width, phi, 0), 20_000, getkey(), found).items():
        mean, error = mean_and_error(draws)
        assert np.abs((mean - found.tensors[name]) / error).max() < 4.5, name
        if name in ("G1", "H1"):
            np.testing.assert_allclose(found.tensors[name], 0, atol=1e-12)
        else:
            assert np.abs(mean / error).max() > 30, name  # the test can tell the tensor from 0


@pytest.mark.slow
@pytest.mark.optimised
@pytest.mark.parametrize("phi", [Relu(), Erf()], ids=["relu", "erf"])
def test_behind_a_group_convolution_widths_extrapolate_to_the_tensors(phi, getkey):
    """t(n) = t + t_1/n + t_2/n^2 from three widths; the tensors know nothing of the width."""
    found = expand(whole(64, phi, 1), X)[-1]
    numbers = {16: 40_000, 32: 16_000, 64: 6_000}
    draws = [draws_of(body(width, phi, 1), number, getkey(), found) for width, number in numbers.items()]
    for name in draws[0]:
        means, errors = zip(*(mean_and_error(each[name]) for each in draws), strict=True)
        fit = extrapolate(list(numbers), np.stack(means), np.stack(errors), degree=2)
        exact = np.asarray(found.tensors[name])
        assert (np.abs(fit.value - exact) < 4.5 * fit.error).all(), name
        if name not in ("G1", "H1"):  # whose draws are of order sqrt(n)
            assert fit.error.max() < 0.1 * np.abs(exact).max(), name


VALID = {"padding": "VALID"}
NETS = {
    "conv": (Conv(5, (2, 2), sigma_b=0.1, **VALID), Sin(), GlobalAvgPool(), Dense(1)),
    "two convs": (Conv(5, (2, 2), padding="CIRCULAR"), Sin(), Conv(4, (2, 2), **VALID), Sin(), Flatten(), Dense(1)),
    "lift": (
        Lift("C4", 5, 3, **VALID),
        Sin(),
        GroupConv("C4", 4, 1),
        Sin(),
        GroupPool(),
        Flatten(),
        Dense(1, 1.0, 0.5),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_the_leading_order_is_the_kernel(name):
    net, x = Serial(*NETS[name]), X[:1]
    found, limit = expand(net, x, ("K", "Theta"))[-1], kernel(net, x)
    np.testing.assert_allclose(found.K, limit.k12, rtol=1e-10)
    np.testing.assert_allclose(found.Theta, limit.ntk, rtol=1e-10)


def test_turned_inputs_have_the_tensors_of_the_inputs_behind_a_pool():
    net, tensors = whole(7, Sin(), 1), ("V", "A", "B", "F", "H1")
    turned = jnp.stack([TURN.orbit(X[0])[1], TURN.orbit(X[1])[3]])
    one, two = (expand(net, x, tensors)[-1] for x in (X, turned))
    for name in tensors:
        np.testing.assert_allclose(one.tensors[name], two.tensors[name], rtol=1e-9, atol=1e-12)


def test_to_order_one_over_width_kernels_of_equivariant_and_averaged_networks_fluctuate_alike():
    """A layer answers to fluctuations of the one before it averaged over joint turns, which both then have.

    Means of second order, such as H1, do not.
    """
    one = expand(Serial(*whole(7, Sin(), 1).layers), X)[-1]
    lift, conv = whole(7, Sin(), 1).layers[0], whole(7, Sin(), 1).layers[2]
    dense = [Dense(7, w.sigma_w, w.sigma_b, w.lambda_w, w.lambda_b) for w in (lift, conv)]
    copies = jax.vmap(TURN.orbit)(X).reshape(8, 3, 3, 1)
    many = expand(Serial(Flatten(), dense[0], Sin(), dense[1], Sin(), TOP), copies)[-1]
    averaged = {
        name: t.reshape((2, 4) * t.ndim).mean(tuple(range(1, 2 * t.ndim, 2))) for name, t in many.tensors.items()
    }
    for name in ("K", "Theta", "V", "D", "F", "A", "B"):
        np.testing.assert_allclose(one.tensors[name], averaged[name], rtol=1e-9, atol=1e-12)
    for name in ("G1", "H1"):
        assert np.abs(one.tensors[name] - averaged[name]).max() > 0.05 * np.abs(averaged[name]).max()


def test_without_sites_both_ways_agree():
    flat = X.reshape(2, 9)
    chain = Serial(Dense(6, 1.2, 0.1), Sin(), Dense(7, 1.1), Sin(), Dense(1, lambda_w=0.4))
    one, two = expand(chain, flat), expand(Serial(Flatten(), *chain.layers), X)
    for a, b in zip(one, two, strict=True):
        for name, tensor in a.tensors.items():
            np.testing.assert_allclose(b.tensors[name], tensor, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "error", "match"),
    [
        ((Conv(3, (2, 2)), LayerNorm(), Relu(), Dense(1)), TypeError, "LayerNorm.*not linear"),
        ((DepthwiseConv((2, 2)), Dense(3), Relu(), Dense(1)), TypeError, "keeps channels apart"),
        (
            (Attention(Dense(2), Dense(2), Dense(2), Dense(2)), Relu(), Dense(1)),
            TypeError,
            "parameters of another kind",
        ),
        ((Residual(Dense(1)), Relu(), Dense(1)), TypeError, "parameters of another kind"),
        ((Flatten(), Relu(), Dense(1)), ValueError, "one layer with weights.*got Flatten"),
        ((Conv(3, (1, 1)), Dense(2), Relu(), Dense(1)), ValueError, "one layer with weights.*got Conv, Dense"),
    ],
)
def test_other_networks_are_refused(layers, error, match):
    with pytest.raises(error, match=match):
        expand(Serial(*layers), X)


def test_too_many_sites_are_refused():
    with pytest.raises(ValueError, match="at most 32 inputs times sites"):
        expand(Serial(Conv(3, (1, 1)), Relu(), Dense(1)), jnp.ones((4, 3, 3, 1)))
