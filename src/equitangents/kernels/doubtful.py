"""Warnings of kernels whose expectations are not good enough at the variances that they meet."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..caller import warn_caller
from ..nets import AbstractActivation, AbstractLayer, AbstractWeighted, LayerNorm
from ..nets.base import is_known
from .activations import estimated_error, has_closed_form
from .kernel import Kernel
from .shortcut import one_by_one


def warn_of_errors(net: AbstractLayer, *inputs: object) -> None:
    """Warn of nonlinearities without a closed form, at the largest variance before each; at 1 where it is traced."""
    found = jax.tree.leaves(net, is_leaf=lambda inside: isinstance(inside, AbstractActivation))
    doubtful = [layer for layer in found if isinstance(layer, AbstractActivation) and not has_closed_form(layer)]
    if not doubtful:
        return
    double = (inputs[0].k12 if isinstance(inputs[0], Kernel) else inputs[0]).dtype == jnp.float64  # type: ignore
    worst = 1e-6 if double else 1e-5
    met = largest_variances(net, *inputs)
    for layer in doubtful:
        at = met.get(id(layer), 1.0)
        try:
            error = estimated_error(layer, at, double)
        except (TypeError, jax.errors.ConcretizationTypeError):
            continue  # it holds numbers that are traced
        if error > worst:
            warn_caller(
                f"{layer!r}: its kernel has an estimated error of {error:.1e} at variance {at:g}, "
                f"expected at most {worst:.0e}, and what follows may be worse; scale the inputs down, "
                f"{'' if double else 'use float64, '}name the points where its derivative jumps, if it does, with "
                "kinks=(...), or register a closed form with @dual.register."
            )


def largest_variances(net: AbstractLayer, *inputs: object) -> dict[int, float]:
    """Before the nonlinearities of a chain, by `id`, to the next power of two; up to a layer whose numbers are traced.

    `inputs` are batches, or a `Kernel` of two. Layers other than weights, nonlinearities and `LayerNorm`, branches
    among them, are taken to leave variances as they are.
    """
    known = [variance for batch in inputs for variance in _variances(batch)]
    if not known:
        return {}
    variance = float(np.max(known))
    met: dict[int, float] = {}
    for layer in one_by_one(net):
        if isinstance(layer, LayerNorm):
            variance = 1.0
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


def _variances(batch: object) -> list[float]:
    """The largest of each array whose values are known."""
    if isinstance(batch, Kernel):
        known = [k for k in (batch.k11, batch.k22) if k is not None and not isinstance(k, Tracer)]
        return [float(np.max(np.asarray(k, np.float64))) for k in known]
    if isinstance(batch, Tracer) or not jnp.issubdtype(batch.dtype, jnp.floating):  # type: ignore[attr-defined]
        return []
    return [float(np.max(np.mean(np.asarray(batch, np.float64) ** 2, axis=-1)))]


@functools.lru_cache(maxsize=1024)
def gain(layer: AbstractActivation, variance: float) -> float:
    r"""$E[\phi^2] / k$ at a variance k, to a few digits."""
    z = np.linspace(-6, 6, 1001)
    density = np.exp(-(z**2) / 2)
    with jax.ensure_compile_time_eval():
        phi = np.asarray(layer.phi(jnp.asarray(math.sqrt(variance) * z)), np.float64)
    return float(density @ phi**2 / np.sum(density)) / variance
