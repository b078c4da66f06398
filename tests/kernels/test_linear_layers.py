"""Layers that are linear in their weights and in the input: their NTK is that of any finite network, exactly.

One layer of weights W, b with lambda = sigma**2 makes f linear in the parameters, so the empirical tangent kernel, its
mean over outputs, does not depend on them; and at unit scale NNGP and NTK agree.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp, nngp_and_ntk
from equitangents.nets import (
    AvgPool,
    Conv,
    ConvLocal,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    GlobalSumPool,
    Relu,
    Serial,
    SiteMap,
    Slice,
    SumPool,
    output_shape,
    resize,
)

SIGNAL, IMAGE = (6, 2), (4, 3, 2)
MATRIX = [[0.5, -1.0, 0, 0, 2.0, 0.3], [0, 0, 1.5, 0, 0, 0], [1.0, 0, 0, 0.2, 0, 0], [0, 1.0, 0, 0, 0, -1.0]]
LAYERS = {
    "dilated": (Conv(2, 3, sigma_b=0.4, dilation=2), SIGNAL),
    "dilated, strided": (Conv(2, (2, 2), (2, 1), "CIRCULAR", 1.3, dilation=(3, 2)), IMAGE),
    "dilated, valid": (Conv(2, 2, padding="VALID", dilation=4), SIGNAL),
    "transposed": (ConvTranspose(2, 3, 2, sigma_w=1.2, sigma_b=0.4), SIGNAL),
    "transposed, valid": (ConvTranspose(2, (3, 2), (2, 3), "VALID"), IMAGE),
    "transposed, circular": (ConvTranspose(2, (3, 4), (1, 2), "CIRCULAR"), IMAGE),
    "local": (ConvLocal(2, 3, 2, sigma_w=1.2, sigma_b=0.4), SIGNAL),
    "local, circular": (ConvLocal(2, (2, 2), padding="CIRCULAR"), IMAGE),
    "local, pooled": (Serial(ConvLocal(2, 3, sigma_b=0.4), SumPool(3)), SIGNAL),
    "depthwise": (DepthwiseConv(3, 2, 2, sigma_w=1.2, sigma_b=0.4), SIGNAL),
    "depthwise, circular": (DepthwiseConv((2, 2), padding="CIRCULAR"), IMAGE),
    "sums": (Serial(Dense(2, sigma_b=0.3), SumPool((3, 2), (2, 1), "SAME")), IMAGE),
    "sums, circular": (Serial(Conv(2, 2), SumPool(3, 1, "CIRCULAR")), SIGNAL),
    "real sites only": (Serial(Conv(2, 2), AvgPool(3, 2, "SAME", normalize_edges=True)), SIGNAL),
    "global sum": (Serial(Conv(2, (2, 2), sigma_b=0.4), GlobalSumPool()), IMAGE),
    "slice": (Serial(Conv(2, (2, 2), sigma_b=0.4), Slice(slice(None, None, -2), 1)), IMAGE),
    "last site": (Serial(Conv(2, 2), Slice(-1)), SIGNAL),
    "map": (Serial(Conv(2, 2, sigma_b=0.4), SiteMap(MATRIX)), SIGNAL),
    "map, second axis": (Serial(Conv(2, (2, 2)), SiteMap([[1.0, 2.0, -1.0]], 1)), IMAGE),
    "resized": (Serial(Conv(2, (2, 2)), resize((4, 3), (3, 5))), IMAGE),
}


def finite(net, x, key):
    """Tangent kernel of a finite network between all sites, its mean over channels."""
    *sites, channels = output_shape(net, x.shape[1:])
    slopes = jax.vmap(jax.jacrev(net.apply), (None, 0))(net.init(key, x.shape[1:])[1], x)
    total = 0.0
    for slope in jax.tree.leaves(slopes):
        flat = slope.reshape(len(x), -1, channels, slope.size // (len(x) * channels * math.prod(sites)))
        total = total + jnp.einsum("ascp,btcp->abst", flat, flat)
    return total.reshape(len(x), len(x), *sites, *sites) / channels


@pytest.mark.parametrize("name", LAYERS)
def test_kernels_of_linear_layers_are_those_of_any_finite_network(name, getkey):
    net, shape = LAYERS[name]
    x = jr.normal(getkey(), (2, *shape))
    found, expected = jax.jit(lambda x, key: (nngp_and_ntk(net, x), finite(net, x, key)))(x, getkey())
    for kernel in found:
        np.testing.assert_allclose(kernel, expected, rtol=1e-10, atol=1e-12)


def test_local_layers_have_the_covariance_of_their_weights_where_the_peer_turns_their_window(getkey):
    """Behind Conv and before a nonlinearity neural-tangents reads a window (3, 1) as (1, 3); theirs is stored.

    Both layers are linear in their weights, so the covariance of what they give is a sum over pairs of weights.
    """
    stored = json.loads((Path(__file__).parent / "peer_values.json").read_text(encoding="utf-8"))
    x = jnp.asarray(stored["inputs"]["image"])
    (row,) = stored["apart"]
    _, (_, first, *_), (_, window, *_), *_ = row["net"]
    linear = Serial(Conv(1, tuple(first)), ConvLocal(1, tuple(window), padding="VALID"))
    params = linear.init(getkey(), x.shape[1:])[1]

    def outputs(w1, w2, x):
        return linear.apply([{"w": w1}, {"w": w2}], x)

    mixed = jax.jit(jax.vmap(jax.jacfwd(jax.jacrev(outputs, 0), 1), (None, None, 0)))
    slopes = mixed(*(p["w"] for p in params), x)
    sites = math.prod(output_shape(linear, x.shape[1:]))
    flat = slopes.reshape(len(x) * sites, -1)
    c = np.asarray(flat @ flat.T)
    r = np.sqrt(np.diag(c))
    angle = np.arccos(np.clip(c / np.outer(r, r), -1, 1))
    relu = np.outer(r, r) * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
    exact = relu.reshape(len(x), sites, len(x), sites).mean((1, 3))
    found = nngp(Serial(linear, Relu(), GlobalAvgPool(), Dense(1)), x)
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    assert np.abs(np.asarray(row["nngp"]) - exact[np.triu_indices(len(x))]).max() > 0.01 * exact.max()
