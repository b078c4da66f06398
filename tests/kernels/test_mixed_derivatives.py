r"""$\partial_{x_1} \partial_{x_2}$ of kernels where the inputs coincide: covariances of a network's gradients."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp_and_ntk
from equitangents.nets import (
    Activation,
    Concatenate,
    Conv,
    Dense,
    Erf,
    Flatten,
    Gelu,
    GlobalAvgPool,
    LayerNorm,
    Rbf,
    Relu,
    Residual,
    Serial,
    Sin,
    Tanh,
)


def dense(phi):
    return Serial(Dense(1, 1.5, 0.1), phi, Dense(1, 1.5, 0.1), phi, Dense(1))


NETS = {
    "erf": (dense(Erf()), (3,)),
    "gelu": (dense(Gelu()), (3,)),
    "tanh": (dense(Tanh()), (3,)),
    "sine": (dense(Sin(2.0, 0.5, 0.3)), (3,)),
    "rbf": (dense(Rbf()), (3,)),
    "own": (dense(Activation(jnp.arctan)), (3,)),
    "normalised": (Serial(Dense(1), Erf(), Dense(1), LayerNorm(), Erf(), Dense(1)), (3,)),
    "branches": (
        Serial(
            Dense(1), Residual(Serial(Erf(), Dense(1))), Concatenate(Erf(), Sin(), proportions=(0.5, 0.5)), Dense(1)
        ),
        (3,),
    ),
    "conv": (Serial(Conv(1, 2, sigma_b=0.1), Erf(), Conv(1, 2), Gelu(), Flatten(), Dense(1)), (3, 2)),
    "average": (Serial(Conv(1, 2, sigma_b=0.1), Erf(), Conv(1, 2), Erf(), GlobalAvgPool(), Dense(1)), (3, 2)),
}


def kernels(net):
    return lambda a, b: jnp.stack([k[0, 0] for k in nngp_and_ntk(net, a[None], b[None])])


def mixed(k, a, b):
    """(2, numbers of b, numbers of a), backward, then forward."""
    return jax.jit(jax.jacfwd(jax.jacrev(k, 1)))(a, b).reshape(2, b.size, a.size)


def by_differences(k, a, b, h=1e-3):
    """The same, of fourth order in h."""
    steps = np.array([(1.0, 8.0), (2.0, -1.0), (-1.0, -8.0), (-2.0, 1.0)])
    unit = jnp.eye(a.size).reshape(-1, *a.shape) * h

    @jax.jit
    def line(s, t):
        return jax.vmap(lambda e: jax.vmap(lambda g: k(a + s * g, b + t * e))(unit))(unit)

    total = sum(p * q * np.asarray(line(s, t)) for s, p in steps for t, q in steps)
    return np.moveaxis(total, -1, 0) / (12 * h) ** 2


SLOW = ("gelu", "tanh", "own", "average")  # to compile


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETS])
def test_second_derivatives_of_equal_inputs_are_those_of_the_kernel(name, getkey):
    net, shape = NETS[name]
    x, k = jr.normal(getkey(), shape), kernels(net)
    found, expected = mixed(k, x, x), by_differences(k, x, x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max())


def test_gradients_of_relu_networks_have_the_covariance_of_their_slopes(getkey):
    r"""$\partial \partial' K = \sigma^2 E[\phi' \phi'] / d$ of each layer, 1/2 for ReLU of equal inputs."""
    x = jr.normal(getkey(), (4,))
    net = Serial(Dense(1), Relu(), Dense(1))
    found = mixed(kernels(net), x, x)[0]
    np.testing.assert_allclose(found, np.eye(4) / 8, atol=1e-12)
