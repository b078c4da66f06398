"""Masked sites: outputs and kernels are those of the sites that count, alone, and more masked sites change nothing."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp_and_ntk
from equitangents.nets import (
    Attention,
    AvgPool,
    Conv,
    ConvTranspose,
    Cos,
    Dense,
    GlobalAvgPool,
    Masked,
    Positions,
    Recurrent,
    Relu,
    Residual,
    Serial,
    Slice,
)

NET = Masked(9.0, Conv(2, 3, sigma_b=0.3), Relu(), Residual(Conv(2, 2)), AvgPool(2, 1), GlobalAvgPool(), Dense(2))
LENGTHS = (4, 6)
NETS = {
    "windows": NET,
    "attention": Masked(
        9.0,
        Dense(2, sigma_b=0.3),
        Attention(Dense(2, 1.5, 0.2), Dense(2, 1.0, 0.4), Dense(2, 1.2), positions=Positions(0.5)),
        Attention(Dense(2, 1.5, 0.2), Dense(2), Dense(2, 1.2), Dense(2), scores="identity"),
        GlobalAvgPool(),
    ),
    "recurrent": Masked(9.0, Recurrent(Dense(2, 1.0, 0.3), Cos(), Dense(2, 1.2, 0.2)), GlobalAvgPool(), Dense(2)),
}


def padded(getkey, length):
    x = jr.normal(getkey(), (2, 6, 2))
    real = jnp.arange(6)[None, :] < jnp.array(LENGTHS)[:, None]
    x = jnp.where(real[..., None], x, 9.0)
    return jnp.pad(x, ((0, 0), (0, length - 6), (0, 0)), constant_values=9.0)


@pytest.mark.parametrize("name", NETS)
def test_masked_kernels_are_those_of_the_short_inputs_and_padding_changes_nothing(name, getkey):
    net, x = NETS[name], padded(getkey, 8)
    whole, less = nngp_and_ntk(net, x), nngp_and_ntk(net, x[:, :6])
    for k, same in zip(whole, less, strict=True):
        np.testing.assert_allclose(k, same, rtol=1e-12)
    alone = nngp_and_ntk(Serial(*net.layers), x[:1, : LENGTHS[0]])
    for k, own in zip(whole, alone, strict=True):
        np.testing.assert_allclose(k[0, 0], own[0, 0], rtol=1e-12)


@pytest.mark.parametrize("name", ["windows", "recurrent"])
def test_masked_networks_have_the_outputs_of_the_short_inputs(name, getkey):
    net, x = NETS[name], padded(getkey, 9)
    params = net.init(getkey(), (6, 2))[1]
    apply = jax.jit(net.apply)
    for example, length in zip(x, LENGTHS, strict=True):
        alone = Serial(*net.layers).apply(params, example[:length])
        np.testing.assert_allclose(apply(params, example), alone, rtol=1e-12)


def test_masked_attention_reads_only_the_sites_that_count(getkey):
    """Embeddings belong to the sites, so they are cut as the input is."""
    net, x = NETS["attention"], padded(getkey, 6)
    params = net.init(getkey(), (6, 2))[1]
    short = jax.tree.map(lambda p: p, params)
    short[1]["positions"] = {"b": params[1]["positions"]["b"][: LENGTHS[0]]}
    alone = Serial(*net.layers).apply(short, x[0, : LENGTHS[0]])
    np.testing.assert_allclose(net.apply(params, x[0]), alone, rtol=1e-12)


def test_recurrent_networks_that_read_the_last_state_may_be_filled_up_in_front(getkey):
    net = Masked(9.0, Recurrent(Dense(2, 1.0, 0.3), Cos(), Dense(2, 1.2, 0.2)), Slice(-1), Dense(2))
    x = jr.normal(getkey(), (2, 4, 2)).at[0, :2].set(9.0)
    params, plain = net.init(getkey(), (4, 2))[1], Serial(*net.layers)
    np.testing.assert_allclose(net.apply(params, x[0]), plain.apply(params, x[0, 2:]), rtol=1e-12)
    for k, own in zip(nngp_and_ntk(net, x), nngp_and_ntk(plain, x[:1, 2:]), strict=True):
        np.testing.assert_allclose(k[0, 0], own[0, 0], rtol=1e-12)


def test_layers_whose_windows_depend_on_the_length_are_refused():
    for layer in (Conv(2, 3, 2), AvgPool(2, 1, "SAME", normalize_edges=True), Conv(2, 3, padding="CIRCULAR")):
        with pytest.raises(NotImplementedError, match="depend on the padded length"):
            Masked(0.0, layer).init(jr.key(0), (4, 1))
    with pytest.raises(NotImplementedError, match="ConvTranspose has no rule for masks"):
        Masked(0.0, ConvTranspose(2, 3)).init(jr.key(0), (4, 1))
    with pytest.raises(ValueError, match="make it the first layer"):
        nngp_and_ntk(Serial(Dense(2), Masked(0.0, Dense(1), GlobalAvgPool())), jnp.ones((1, 4, 1)))
