"""Layers with a law of their own, and what is refused with its reason."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp, nngp_and_ntk, ntk
from equitangents.nets import (
    Attention,
    Concatenate,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Embedding,
    Identity,
    MaxPool,
    Positions,
    Product,
    Recurrent,
    Relu,
    Residual,
    Serial,
    Shared,
    Slice,
    mup,
    standard,
)

SIGNAL = (4, 2)
REFUSED = {
    "max pool": (Serial(Conv(2, 2), MaxPool(2), Dense(1)), SIGNAL, NotImplementedError, "largest of several"),
    "softmax": (
        Attention(Dense(2), Dense(2), Dense(2), query=Dense(2)),
        SIGNAL,
        NotImplementedError,
        "scores stay random",
    ),
    "nonlinearity after depthwise": (
        Serial(Conv(2, 2), DepthwiseConv(2), Relu(), Dense(1)),
        SIGNAL,
        ValueError,
        "Gaussian preactivations",
    ),
    "nonlinearity after joined channels": (
        Serial(Concatenate(Dense(2), Dense(3)), Relu(), Dense(1)),
        SIGNAL,
        ValueError,
        "Gaussian preactivations",
    ),
    "weights shared past a path without any": (
        Serial(Dense(2), Shared(Residual(Relu(), Dense(2)), times=2)),
        SIGNAL,
        NotImplementedError,
        "different uses are then correlated",
    ),
    "shares not known": (Concatenate(Identity(), Dense(3)), SIGNAL, ValueError, "state proportions"),
    "dependent factors": (Serial(Dense(2), Product(Relu(), Relu()), Dense(1)), SIGNAL, ValueError, "independent"),
}


@pytest.mark.parametrize("net, shape, kind, said", REFUSED.values(), ids=REFUSED)
def test_what_has_no_kernel_says_why(net, shape, kind, said):
    with pytest.raises(kind, match=said):
        nngp(net, jnp.ones((1, *shape)))


def test_tokens_are_integers_of_the_vocabulary():
    with pytest.raises(TypeError, match="expected x1 of tokens"):
        ntk(Embedding(3, 2), jnp.ones((2, 1)))
    with pytest.raises(ValueError, match="tokens from 0 to 2, got 0 to 3"):
        ntk(Embedding(3, 2), jnp.array([[0], [3]]))
    with pytest.raises(TypeError, match="Embedding expected tokens"):
        Embedding(3, 2).apply({}, jnp.ones((4, 1)))


def test_an_embedding_is_a_dense_layer_on_one_hot_vectors(getkey):
    tokens = jr.randint(getkey(), (3, 2), 0, 5)
    hot = np.sqrt(5) * jax.nn.one_hot(tokens, 5).reshape(3, 10)
    ours = nngp_and_ntk(Serial(Embedding(5, 1, 1.3, 0.2), Relu(), Dense(1)), tokens)
    for k, expected in zip(ours, nngp_and_ntk(Serial(Dense(1, 1.3, 0.2), Relu(), Dense(1)), hot), strict=True):
        np.testing.assert_allclose(k, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("same", [True, False])
def test_dropout_gives_variance_to_what_is_one_evaluation(same, getkey):
    """A linear head of a fixed vector: E over masks of mean(m x m x'), with one mask or two."""
    x, p = jr.normal(getkey(), (2, 3)), 0.4
    net = Serial(Dense(1, 1.3, 0.3), Relu(), Dropout(p), Dense(1))
    plain = Serial(Dense(1, 1.3, 0.3), Relu(), Dense(1))
    own = np.where(np.eye(2), 1 / (1 - p), 1.0) if same else 1.0
    other = None if same else x
    for k, expected in zip(nngp_and_ntk(net, x, other), nngp_and_ntk(plain, x, other), strict=True):
        np.testing.assert_allclose(k, own * expected, rtol=1e-12)


def test_dropout_draws_masks_of_mean_one_and_of_the_variance_that_the_kernel_has(getkey):
    draws = jax.vmap(lambda key: Dropout(0.4).sample(key, jnp.ones(50)))(jr.split(getkey(), 2000))
    assert set(np.unique(draws).round(12)) == {0.0, round(1 / 0.6, 12)}
    np.testing.assert_allclose([jnp.mean(draws), jnp.mean(draws**2)], [1, 1 / 0.6], atol=0.02)


def test_a_recurrent_layer_that_reads_once_is_a_deep_network(getkey):
    """With nothing to read after the first time; weights are shared in one and not in the other."""
    x = jr.normal(getkey(), (2, 3, 2)).at[:, 1:].set(0)
    read, hidden = Dense(1, 1.1), Dense(1, 1.3, 0.2, 0.7, 1.5)
    found = nngp_and_ntk(Serial(Recurrent(read, Relu(), hidden), Slice(-1), Dense(1)), x)
    deep = Serial(read, Relu(), hidden, Relu(), hidden, Relu(), Dense(1))
    for k, expected in zip(found, nngp_and_ntk(deep, x[:, 0]), strict=True):
        np.testing.assert_allclose(k, expected, rtol=1e-12)


def test_what_decays_with_distance_is_a_covariance():
    with pytest.raises(ValueError, match="positive semidefinite matrix with ones"):
        Positions(decay=lambda d: 1 - 2 * d).init(jax.random.key(0), SIGNAL)
    with pytest.raises(ValueError, match=r"share 0\.4 is a whole number, got 2"):
        Positions(share=0.4).init(jax.random.key(0), SIGNAL)


def test_parameterisations_reach_the_layers_inside():
    placed = standard(Serial(Positions(0.5), Dense(8), Shared(Relu(), Dense(8), times=2)), SIGNAL).layers
    assert (placed[0].lambda_b, placed[1].lambda_w, placed[2].layer.layers[1].lambda_w) == (1, 2, 8)
    net = Serial(Recurrent(Dense(8), Relu(), Dense(8)), Attention(Dense(2), Dense(4), Dense(3), heads=5), Dense(1))
    filled = standard(net, SIGNAL).layers
    assert (filled[0].read.lambda_w, filled[0].hidden.lambda_w) == (2, 8)
    assert (filled[1].key.lambda_w, filled[1].value.lambda_w, filled[1].out.lambda_w) == (8, 8, 20)
    joined = standard(Serial(Concatenate(Dense(4), Product(Dense(6), Dense(6))), Dense(1)), (3,)).layers
    assert joined[0].layers[1].layers[0].lambda_w == 3
    assert joined[1].lambda_w == 10
    assert mup(Serial(Conv(4, 2), DepthwiseConv(3, 2), Dense(1)), SIGNAL).layer.layers[1].lambda_w == 3 * 8
