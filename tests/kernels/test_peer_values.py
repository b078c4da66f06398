"""NNGP and NTK of many architectures as neural-tangents 0.6.5 has them; benchmarks/peer/values.py is the recipe."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import kernel, nets, nngp, nngp_and_ntk
from equitangents.kernels import dual

STORED = json.loads((Path(__file__).parent / "peer_values.json").read_text(encoding="utf-8"))
INPUTS = {kind: np.asarray(x) for kind, x in STORED["inputs"].items()}
UNDEFINED = "RectifiedMonomial"  # the peer's is NaN where both inputs are the same


def ours(net):
    """The description of an architecture given as plain data."""
    name, *rest = net
    if name in ("Serial", "Residual", "Parallel", "Concatenate", "Product"):
        return getattr(nets, name)(*map(ours, rest))
    if name == "Masked":
        return nets.Masked(rest[0], *map(ours, rest[1:]))
    if name == "Attention":
        scores, tied, w, b, kind, size, decay = [*rest, "none", 0.0, False][:7]
        scale, value = nets.Dense(1, w**0.5), nets.Dense(1, w)
        near = (lambda d: jnp.exp(-0.3 * d)) if decay else None
        positions = nets.Positions(size, decay=near, share=0.5 if kind == "concatenate" else None)
        own = positions if kind in ("sum", "concatenate") else None
        layer = nets.Attention(
            scale, value, nets.Dense(1, 1.0, b), None if tied else scale, scores=scores, positions=own
        )
        return nets.Serial(positions, layer) if kind == "sum to values" else layer
    if name == "Resize":
        sites, new, method = rest
        return nets.resize(tuple(sites), tuple(new), method)
    if name == "Graph":
        return nets.SiteMap(*rest)
    if name in ("Dense", "Conv", "ConvTranspose", "ConvLocal"):
        return getattr(nets, name)(1, *(tuple(a) if isinstance(a, list) else a for a in rest))
    if name == "LayerNorm":
        return nets.LayerNorm(1e-12)
    return getattr(nets, name)(*(tuple(a) if isinstance(a, list) else a for a in rest))


def names(net):
    """Names of the layers in an architecture."""
    parts = (inside for inside in net[1:] if isinstance(inside, list) and inside and isinstance(inside[0], str))
    return {net[0]}.union(*map(names, parts))


QUICK = [("vector", 4), ("signal", 8), ("image", 24), ("masked", 2)]  # every n-th; all of them by pytest -m slow


@pytest.mark.parametrize("kind, step", [*QUICK, *(pytest.param(kind, 1, marks=pytest.mark.slow) for kind in INPUTS)])
def test_kernels_are_those_of_neural_tangents(kind, step):
    """One operation at a time: compiling each network would take longer than all of them run."""
    wrong = []
    with jax.disable_jit():
        for row in [row for row in STORED["rows"] if row["input"] == kind][::step]:
            x = jnp.asarray(INPUTS[row["input"]])
            upper = np.triu_indices(len(x))
            net, random = ours(row["net"]), "Dropout" in names(row["net"])
            found = None if random else kernel(net, x)  # which takes masks to differ also on the diagonal
            both = (found.k12, found.ntk) if found else nngp_and_ntk(net, x)
            for which, k in zip(("nngp", "ntk"), both, strict=True):
                expected = np.asarray([np.nan if v is None else v for v in row[which]])
                defined = ~np.isnan(expected)
                assert defined.all() or UNDEFINED in names(row["net"])
                error = np.abs(np.asarray(k)[upper] - expected)[defined]
                if np.max(error, initial=0) > 1e-8 * np.max(np.abs(expected[defined]), initial=1e-3):
                    wrong.append((row["net"], which, float(np.max(error))))
    assert not wrong


def test_the_table_is_large_and_shares_every_nonlinearity():
    assert len(STORED["rows"]) >= 150
    seen = set().union(*(names(row["net"]) for row in STORED["rows"]))
    series = {"Tanh", "Sigmoid", "Silu", "Softplus", "Mish", "Elu", "Selu", "Activation"}  # the peer has none
    every = {
        name
        for name, value in vars(nets).items()
        if isinstance(value, type) and issubclass(value, nets.AbstractActivation) and not name.startswith("Abstract")
    }
    assert every - series <= seen


def assert_mean(draws, expected):
    error = jnp.std(draws) / draws.shape[0] ** 0.5
    assert abs(jnp.mean(draws) - expected) < 5 * error


@pytest.mark.parametrize("degree", [0, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3))])
def test_rectified_monomials_are_finite_where_the_peer_is_not(degree, getkey):
    """On the diagonal, with gradients; and by Monte Carlo with its standard error."""
    layer = nets.RectifiedMonomial(degree)
    nets_with_it = [row for row in STORED["rows"] if ["RectifiedMonomial", degree] in row["net"]]
    assert any(v is None for row in nets_with_it for v in row["nngp"])
    x = jnp.asarray(INPUTS["vector"])
    net = nets.Serial(nets.Dense(1, 1.2, 0.3), layer, nets.Dense(1))
    value, slope = jax.value_and_grad(lambda x: jnp.sum(nngp(net, x)))(x)
    assert jnp.isfinite(value) and jnp.all(jnp.isfinite(slope))
    k11, k22, d = 0.8, 1.3, 0.2
    z = jr.normal(getkey(), (2, 200_000))
    u = k11**0.5 * z[0]
    v = k22**0.5 * ((1 - d) * z[0] + (d * (2 - d)) ** 0.5 * z[1])
    for second, at in ((v, (k11, k22, d)), (u, (k11, k11, 0.0))):
        e, e_prime, *_ = dual(layer, *map(jnp.asarray, at))
        assert_mean(layer.phi(u) * layer.phi(second), e)
        if degree > 0:
            power = degree - 1
            assert_mean(degree**2 * jnp.where((u > 0) & (second > 0), (u * second) ** power, 0.0), e_prime)


@pytest.mark.parametrize("variance", [0.5, 2.0])
def test_hermite_polynomials_are_right_at_variances_other_than_one(variance, getkey):
    """The peer takes k12^degree, right for variance 1 alone."""
    layer = nets.Hermite(3)
    u = variance**0.5 * jr.normal(getkey(), (200_000,))
    draws = layer.phi(u) ** 2
    assert_mean(draws, dual(layer, *map(jnp.asarray, (variance, variance, 0.0)))[0])
    assert abs(jnp.mean(draws) - variance**3) > 5 * jnp.std(draws) / draws.shape[0] ** 0.5
