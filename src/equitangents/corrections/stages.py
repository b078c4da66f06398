r"""A network with sites read as stages: linear layers, a nonlinearity, linear layers, ...

Weights that are shared over sites, as in a convolution over any group, join neurons and not sites. So a site is one
more label beside the input, and in each of the pairs of legs of a tensor both move together over the window:

$$T_{ab\,cd} \to \frac{1}{|S|^2} \sum_{u, v \in S} T_{a \cdot u\, b \cdot u\; c \cdot v\, d \cdot v},$$

the map that the kernel's own rule makes of a covariance, once for each pair of legs. A pool averages likewise.
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..kernels import Kernel, Needs, needs, propagate
from ..nets import AbstractActivation, AbstractLayer, AbstractWeighted
from ..nets.base import Shape, output_shape
from .chain import flat


class Stage(NamedTuple):
    """Linear layers between two nonlinearities, one of them with weights.

    Attributes:
        layers: in their order.
        weighted: the one with weights.
        channels: how many independent neurons come in, n_{l-1}.
        before, after: the sites that come in and go out.
    """

    layers: tuple[AbstractLayer, ...]
    weighted: AbstractWeighted
    channels: int
    before: Shape
    after: Shape


def stages(net: AbstractLayer, x: Array) -> tuple[tuple[Stage, ...], tuple[AbstractActivation, ...]]:
    """L stages and the L - 1 nonlinearities between them.

    Args:
        net: a Serial.
        x: (n, *sites, channels).

    Raises:
        TypeError: a layer that is no sum over all channels with one set of weights, and no fixed average.
        ValueError: no weights, or more than one layer with weights, between two nonlinearities.
    """
    found: list[Stage] = []
    between: list[AbstractActivation] = []
    held: list[AbstractLayer] = []
    weighted: list[AbstractWeighted] = []
    begin = at = tuple(x.shape[1:])

    def close() -> None:
        if len(weighted) != 1:
            names = ", ".join(type(layer).__name__ for layer in held) or "nothing"
            raise ValueError(
                f"expected one layer with weights between two nonlinearities, got {names}; put Identity() between two "
                "layers with weights, and a layer with weights first and last."
            )
        found.append(Stage(tuple(held), weighted[0], begin[-1], begin[:-1], at[:-1]))

    for layer in flat(net):
        if isinstance(layer, AbstractActivation):
            close()
            between.append(layer)
            held, weighted, begin = [], [], at
            continue
        _check_linear(layer, at)
        held.append(layer)
        if isinstance(layer, AbstractWeighted):
            weighted.append(layer)
        at = output_shape(layer, at)
    close()
    return tuple(found), tuple(between)


def _check_linear(layer: AbstractLayer, shape: Shape) -> None:
    refuse = (
        f"corrections know layers that sum over all channels with shared weights, and fixed averages; got {layer!r}"
    )
    if isinstance(layer, AbstractWeighted):
        wide = (*shape[:-1], 2 * shape[-1])
        if needs(layer, Needs(True, "none")).variances != "none" or layer.fan_in(wide) != 2 * layer.fan_in(shape):
            raise TypeError(f"{refuse}, which keeps channels apart.")
        return
    drawn = jax.eval_shape(lambda key: layer.init(key, shape)[1], jax.random.key(0))
    if jax.tree.leaves(drawn):
        raise TypeError(f"{refuse}, which has parameters of another kind.")
    if needs(layer, Needs(True, "none")).variances != "none":
        raise TypeError(f"{refuse}, which is not linear.")


def first_kernel(stage: Stage, x: Array) -> tuple[Array, Array]:
    """K and Theta of the first stage, (m, m) each over inputs and sites, the input being the first index."""
    n, channels = x.shape[0], x.shape[-1]
    flat = x.reshape(-1, channels)
    k = jnp.matmul(flat, flat.T, precision="highest").reshape(n, *stage.before, n, *stage.before) / channels
    k = jnp.moveaxis(k, 1 + len(stage.before), 1)

    def one(k: Array) -> tuple[Array, Array]:
        out = _through(stage.layers, Kernel(None, k, None, None, jnp.zeros_like(k), stage.before, False))
        return _all_pairs(out), _all_pairs(dataclasses.replace(out, k12=out.ntk))

    both = jax.vmap(jax.vmap(one))(k)
    m = n * math.prod(stage.after)
    first, second = (jnp.swapaxes(part, 1, 2).reshape(m, m) for part in both)
    return first, second


def pair_map(stage: Stage) -> np.ndarray:
    """(sites after squared, sites before squared): what the stage does to a covariance, weights of variance 1."""
    size = math.prod(stage.before)
    unit = dataclasses.replace(stage.weighted, sigma_w=1.0, sigma_b=0.0, lambda_w=None, lambda_b=None)
    layers = tuple(unit if layer is stage.weighted else layer for layer in stage.layers)

    def one(flat: Array) -> Array:
        k = flat.reshape(*stage.before, *stage.before)
        out = _through(layers, Kernel(None, k, None, None, jnp.zeros_like(k), stage.before, True))
        return _all_pairs(out).reshape(-1)

    with jax.ensure_compile_time_eval():
        return np.asarray(jax.vmap(one)(jnp.eye(size * size)).T)  # JAX 0.6 has no scan here


def constants(stage: Stage) -> tuple[Array, Array]:
    """What biases add to K and to Theta, (sites, sites) each."""
    zero = jnp.zeros((*stage.before, *stage.before))
    out = _through(stage.layers, Kernel(None, zero, None, None, zero, stage.before, True))
    return _all_pairs(out), _all_pairs(dataclasses.replace(out, k12=out.ntk))


def _through(layers: tuple[AbstractLayer, ...], k: Kernel) -> Kernel:
    for layer in layers:
        k = propagate(layer, k)
    return k


def _all_pairs(k: Kernel) -> Array:
    """(sites, sites), each as one axis."""
    size = math.prod(k.sites)
    return k.k12.reshape(size, size)
