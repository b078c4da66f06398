"""A network read as dense layers with one nonlinearity between two of them: what the recursions in 1/width take."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import AbstractActivation, AbstractLayer, Dense, Serial
from .compile import Hyper

Runs = tuple[tuple[AbstractActivation, int, int], ...]


class Chain(NamedTuple):
    """Dense layers l = 1, ..., L and what stands between them.

    Attributes:
        dense: L layers.
        activations: L - 1 nonlinearities.
        fan_in: n_0, ..., n_{L-1}.
    """

    dense: tuple[Dense, ...]
    activations: tuple[AbstractActivation, ...]
    fan_in: tuple[int, ...]

    def hypers(self, dtype: jnp.dtype) -> Hyper:
        """(L,) each: the numbers of every layer."""

        def column(numbers):
            return jnp.stack([jnp.asarray(number, dtype) for number in numbers])

        ratios = [0.0] + [0.0] * (len(self.dense) > 1)
        ratios += [after / before for before, after in zip(self.fan_in[1:], self.fan_in[2:], strict=False)]
        return Hyper(
            c_w=column(layer.sigma_w**2 for layer in self.dense),
            c_b=column(layer.sigma_b**2 for layer in self.dense),
            lambda_w=column(layer.rate_w for layer in self.dense),
            lambda_b=column(layer.rate_b for layer in self.dense),
            ratio=column(ratios),
        )

    def runs(self) -> Runs:
        """(nonlinearity, start, end) of stretches of equal nonlinearities."""
        found: list[tuple[AbstractActivation, int, int]] = []
        for i, layer in enumerate(self.activations):
            if found and _equal(found[-1][0], layer):
                found[-1] = (found[-1][0], found[-1][1], i + 1)
            else:
                found.append((layer, i, i + 1))
        return tuple(found)


def _equal(a: AbstractActivation, b: AbstractActivation) -> bool:
    try:
        return a is b or a == b
    except TypeError:  # they hold arrays
        return False


def chain(net: AbstractLayer, x: Array) -> Chain:
    """The network as a chain.

    Raises:
        TypeError: a precision other than float64.
        ValueError: dense layers without a nonlinearity between them, or inputs of another shape than (n, channels).
    """
    check_inputs(x)
    if len(x.shape) != 2:
        raise ValueError(f"expected inputs without sites, of shape (n, channels), got {tuple(x.shape)}.")
    layers = tuple(flat(net))
    if not all(isinstance(layer, Dense) == (i % 2 == 0) for i, layer in enumerate(layers)) or len(layers) % 2 == 0:
        names = ", ".join(type(layer).__name__ for layer in layers)
        raise ValueError(
            f"expected Dense, nonlinearity, Dense, ..., Dense, in turns, got {names}; put Identity() between two Dense "
            "layers, and a Dense first and last."
        )
    dense = tuple(layer for layer in layers if isinstance(layer, Dense))
    activations = tuple(layer for layer in layers if isinstance(layer, AbstractActivation))
    return Chain(dense, activations, (x.shape[-1], *(layer.width for layer in dense[:-1])))


def flat(net: AbstractLayer) -> Iterator[AbstractLayer]:
    """The layers of a Serial, and of those inside it."""
    if isinstance(net, Serial):
        for layer in net.layers:
            yield from flat(layer)
    elif isinstance(net, AbstractLayer):
        yield net
    else:
        what = f"the class {net.__name__}" if isinstance(net, type) else repr(net)
        raise TypeError(f"expected a description such as Serial(Dense(64), Tanh(), Dense(1)), got {what}.")


def is_over_sites(net: AbstractLayer, x: Array) -> bool:
    """Whether there is more than dense layers and nonlinearities on vectors."""
    return len(x.shape) > 2 or not all(isinstance(layer, Dense | AbstractActivation) for layer in flat(net))


def check_inputs(x: Array) -> None:
    """Raise unless x is a batch of finite examples in float64."""
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(f"expected x to be an array (n, *sites, channels), got {type(x).__name__}; use jnp.asarray.")
    if len(x.shape) < 2 or 0 in x.shape:
        raise ValueError(
            f"expected inputs of shape (n, *sites, channels), not empty, got {tuple(x.shape)}; one example is x[None]."
        )
    on = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    if not on or x.dtype != np.float64:
        got = x.dtype if on else "a JAX without it"
        raise TypeError(
            f"expected float64, as the recursions lose digits layer by layer, got {got}; call "
            'jax.config.update("jax_enable_x64", True) first and pass x.astype(float).'
        )
    if not isinstance(x, jax.core.Tracer) and not np.isfinite(np.asarray(x)).all():
        raise ValueError("expected x to be finite, got NaN or infinity in it; clean the data first.")
