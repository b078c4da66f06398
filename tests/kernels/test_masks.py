"""Masked sites: outputs and kernels are those of the sites that count, alone, and more masked sites change nothing."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp_and_ntk
from equitangents.nets import (
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    GlobalAvgPool,
    Masked,
    Relu,
    Residual,
    Serial,
)

NET = Masked(9.0, Conv(2, 3, sigma_b=0.3), Relu(), Residual(Conv(2, 2)), AvgPool(2, 1), GlobalAvgPool(), Dense(2))
LENGTHS = (4, 6)


def padded(getkey, length):
    x = jr.normal(getkey(), (2, 6, 2))
    real = jnp.arange(6)[None, :] < jnp.array(LENGTHS)[:, None]
    x = jnp.where(real[..., None], x, 9.0)
    return jnp.pad(x, ((0, 0), (0, length - 6), (0, 0)), constant_values=9.0)


def test_masked_kernels_are_those_of_the_short_inputs_and_padding_changes_nothing(getkey):
    x = padded(getkey, 8)
    whole, less = nngp_and_ntk(NET, x), nngp_and_ntk(NET, x[:, :6])
    for k, same in zip(whole, less, strict=True):
        np.testing.assert_allclose(k, same, rtol=1e-12)
    alone = nngp_and_ntk(Serial(*NET.layers), x[:1, : LENGTHS[0]])
    for k, own in zip(whole, alone, strict=True):
        np.testing.assert_allclose(k[0, 0], own[0, 0], rtol=1e-12)


def test_masked_networks_have_the_outputs_of_the_short_inputs(getkey):
    x, params = padded(getkey, 9), NET.init(getkey(), (6, 2))[1]
    apply = jax.jit(NET.apply)
    for example, length in zip(x, LENGTHS, strict=True):
        alone = Serial(*NET.layers).apply(params, example[:length])
        np.testing.assert_allclose(apply(params, example), alone, rtol=1e-12)


def test_layers_whose_windows_depend_on_the_length_are_refused():
    for layer in (Conv(2, 3, 2), AvgPool(2, 1, "SAME", normalize_edges=True), Conv(2, 3, padding="CIRCULAR")):
        with pytest.raises(NotImplementedError, match="depend on the padded length"):
            Masked(0.0, layer).init(jr.key(0), (4, 1))
    with pytest.raises(NotImplementedError, match="ConvTranspose has no rule for masks"):
        Masked(0.0, ConvTranspose(2, 3)).init(jr.key(0), (4, 1))
    with pytest.raises(ValueError, match="make it the first layer"):
        nngp_and_ntk(Serial(Dense(2), Masked(0.0, Dense(1), GlobalAvgPool())), jnp.ones((1, 4, 1)))
