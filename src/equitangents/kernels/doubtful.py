"""Warnings of kernels whose expectations are not good enough at the variances that they meet."""

import functools
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..nets import AbstractActivation, AbstractLayer, AbstractWeighted, Serial
from ..nets.base import is_known
from .activations import estimated_error, has_closed_form
from .kernel import Kernel


def warn_of_errors(net: AbstractLayer, x1: object) -> None:
    """Warn of nonlinearities without a closed form, at the largest variance before each; at 1 where it is traced."""
    found = jax.tree.leaves(net, is_leaf=lambda inside: isinstance(inside, AbstractActivation))
    doubtful = [layer for layer in found if isinstance(layer, AbstractActivation) and not has_closed_form(layer)]
    if not doubtful:
        return
    double = (x1.k11 if isinstance(x1, Kernel) else x1).dtype == jnp.float64  # type: ignore[attr-defined]
    met = largest_variances(net.layers if isinstance(net, Serial) else (net,), x1)
    for layer in doubtful:
        at = met.get(id(layer), 1.0)
        try:
            error = estimated_error(layer, at, double)
        except (TypeError, jax.errors.ConcretizationTypeError):
            continue  # it holds numbers that are traced
        if error > (1e-6 if double else 1e-5):
            warnings.warn(
                f"{layer!r}: its kernel has an estimated error of {error:.1e} at variance {at:g}, "
                "expected at most 1e-6, and what follows may be worse; scale the inputs down, use float64, name the "
                "points where its derivative jumps, if it does, with kinks=(...), or register a closed form with "
                "@dual.register.",
                stacklevel=6,
            )


def largest_variances(layers: tuple[AbstractLayer, ...], x1: object) -> dict[int, float]:
    """Before the nonlinearities of a chain, by `id`, to the next power of two; up to a layer whose numbers are traced.

    Layers that are neither weights nor nonlinearities are taken to leave variances as they are.
    """
    squares = x1.k11 if isinstance(x1, Kernel) else x1
    if isinstance(squares, Tracer) or not jnp.issubdtype(squares.dtype, jnp.floating):  # type: ignore[attr-defined]
        return {}
    numbers = np.asarray(squares, np.float64)
    variance = float(np.max(numbers if isinstance(x1, Kernel) else np.mean(numbers**2, axis=-1)))
    met: dict[int, float] = {}
    for layer in layers:
        if isinstance(layer, AbstractWeighted):
            if not (is_known(layer.sigma_w) and is_known(layer.sigma_b)):
                break
            variance = float(layer.sigma_w) ** 2 * variance + float(layer.sigma_b) ** 2
        if isinstance(layer, AbstractActivation):
            at = 2.0 ** math.ceil(math.log2(variance)) if 1 < variance < math.inf else 1.0
            met[id(layer)] = max(at, met.get(id(layer), 1.0))
            try:
                variance *= gain(layer, at)
            except (NotImplementedError, TypeError, jax.errors.ConcretizationTypeError):
                break
    return met


@functools.lru_cache(maxsize=1024)
def gain(layer: AbstractActivation, variance: float) -> float:
    r"""$E[\phi^2] / k$ at a variance k, to a few digits."""
    z = np.linspace(-6, 6, 1001)
    density = np.exp(-(z**2) / 2)
    with jax.ensure_compile_time_eval():
        phi = np.asarray(layer.phi(jnp.asarray(math.sqrt(variance) * z)), np.float64)
    return float(density @ phi**2 / np.sum(density)) / variance
