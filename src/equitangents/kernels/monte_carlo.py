"""Kernels as averages over random finite networks, with the error that such an average has."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractLayer, output_shape
from .empirical import empirical_ntk
from .inputs import check_inputs, vocabulary


class MonteCarlo(NamedTuple):
    """Averages over networks and their standard errors, all of the shape that `nngp` returns.

    Attributes:
        nngp: mean of the products of two outputs, over networks and output channels.
        ntk: mean of the empirical tangent kernel.
        nngp_error, ntk_error: standard deviations of these means.
    """

    nngp: Array
    ntk: Array
    nngp_error: Array
    ntk_error: Array


def monte_carlo(
    net: AbstractLayer, x1: Array, x2: Array | None = None, key: PRNGKeyArray | None = None, networks: int = 100
) -> MonteCarlo:
    r"""$E[f(x_1) f(x_2)]$ and $E[\sum_\theta \partial_\theta f(x_1)\, \partial_\theta f(x_2)]$ at the widths of `net`.

    Networks are drawn one after the other in one compiled program; the same key gives the same numbers. As the width
    grows both converge to `nngp` and `ntk`; they differ from them by about 1/width.

    Args:
        net: the description, with its widths.
        x1: (n1, *sites, channels).
        x2: (n2, *sites, channels); None means x1.
        key: PRNG key; it must be given.
        networks: how many, at least 2.

    Returns:
        A `MonteCarlo` of arrays (n1, n2, *sites, *sites), where sites are those of the output.

    Raises:
        TypeError, ValueError: inputs that do not fit the network, too few networks.

    >>> from equitangents.nets import Dense
    >>> result = monte_carlo(Dense(100), jnp.ones((1, 3)), key=jr.key(0), networks=50)
    >>> bool(abs(result.nngp[0, 0] - 1) < 5 * result.nngp_error[0, 0]), round(float(result.ntk[0, 0]), 5)
    (True, 1.0)
    """
    if not isinstance(net, AbstractLayer):
        raise TypeError(f"expected a description such as Serial(Dense(64), Relu(), Dense(1)), got {net!r}.")
    if key is None:
        raise TypeError("expected a key for the random networks, got None; pass for example key=jax.random.key(0).")
    if isinstance(networks, bool) or not isinstance(networks, int) or networks < 2:
        raise ValueError(f"expected networks to be an integer >= 2, as an error needs two, got {networks!r}.")
    check_inputs(x1, "x1", vocabulary(net))
    if x2 is not None:
        check_inputs(x2, "x2", vocabulary(net))
        if x1.shape[1:] != x2.shape[1:]:
            raise ValueError(f"expected x1 and x2 with examples of one shape, got {x1.shape[1:]} and {x2.shape[1:]}.")
    output_shape(net, x1.shape[1:])
    return _averaged(net, x1, x2, jr.split(key, networks))


@eqx.filter_jit
def _averaged(net: AbstractLayer, x1: Array, x2: Array | None, keys: Array) -> MonteCarlo:
    *sites, _ = output_shape(net, x1.shape[1:])
    dtype = x1.dtype if jnp.issubdtype(x1.dtype, jnp.floating) else jnp.result_type(float)

    def one(key: PRNGKeyArray) -> Array:
        params = jax.tree.map(lambda p: p.astype(dtype), net.init(key, x1.shape[1:])[1])
        outs = [jax.vmap(net.apply, (None, 0))(params, x) for x in (x1, x1 if x2 is None else x2)]
        return jnp.stack([_products(*outs), _tangents(net, params, x1, x2, len(sites))])

    def add(moments: tuple[Array, Array], numbered: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        """Welford (1962): mean and sum of squared deviations, without cancellation."""
        mean, squares = moments
        sample = one(numbered[1])
        new = mean + (sample - mean) / numbered[0].astype(mean.dtype)
        return (new, squares + (sample - mean) * (sample - new)), None

    zero = jnp.zeros_like(jax.eval_shape(one, keys[0]))
    n = keys.shape[0]
    (mean, squares), _ = lax.scan(add, (zero, zero), (jnp.arange(1, n + 1), keys))
    error = jnp.sqrt(squares / (n - 1) / n)
    return MonteCarlo(mean[0], mean[1], error[0], error[1])


def _products(out1: Array, out2: Array) -> Array:
    """Mean over channels of products of outputs: (n1, n2, *sites, *sites)."""
    sites = out1.shape[1:-1]
    flat1, flat2 = (out.reshape(out.shape[0], -1, out.shape[-1]) for out in (out1, out2))
    products = jnp.einsum("asc,btc->abst", flat1, flat2, precision=lax.Precision.HIGHEST) / out1.shape[-1]
    return products.reshape(out1.shape[0], out2.shape[0], *sites, *sites)


def _tangents(net: AbstractLayer, params, x1: Array, x2: Array | None, axes: int) -> Array:
    """Empirical tangent kernel, its mean over channels: (n1, n2, *sites, *sites)."""
    if axes == 0:
        return empirical_ntk(net.apply, params, x1, x2)
    *sites, channels = output_shape(net, x1.shape[1:])
    full = empirical_ntk(net.apply, params, x1, x2, outputs="full")
    size = math.prod(sites)
    split = full.reshape(*full.shape[:2], size, channels, size, channels)
    return jnp.einsum("abscuc->absu", split).reshape(*full.shape[:2], *sites, *sites) / channels
