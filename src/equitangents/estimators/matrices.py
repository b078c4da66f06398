"""Kernels of NumPy arrays in their own precision, compiled for few shapes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..kernels import nngp, nngp_and_ntk
from ..nets import AbstractLayer
from ..numerics.precision import double, single

SMALL, LARGE = 32, 256


def matrices(net: AbstractLayer, x1: np.ndarray, x2: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK, shape (n1, n2) each, in the precision of x1."""
    n1, n2 = len(x1), len(x1 if x2 is None else x2)
    with double() if x1.dtype == np.float64 else single():
        pair = nngp_and_ntk(net, jnp.asarray(_filled(x1)), None if x2 is None else jnp.asarray(_filled(x2)))
        if pair[0].ndim != 2:
            raise ValueError(
                f"expected a network whose output has no sites, got kernels of shape {pair[0].shape}; "
                "end it in Flatten() or GlobalAvgPool() and Dense(1)."
            )
        k, ntk = (np.array(matrix)[:n1, :n2] for matrix in pair)
    return k, ntk


def variances(net: AbstractLayer, x: np.ndarray) -> np.ndarray:
    """NNGP of each example with itself, shape (n,)."""
    with double() if x.dtype == np.float64 else single():
        return np.array(_variances(net, jnp.asarray(_filled(x))))[: len(x)]


@jax.jit
def _variances(net: Any, x: Any) -> Any:
    return jax.lax.map(lambda one: nngp(net, one[None])[0, 0], x)


def _filled(x: np.ndarray) -> np.ndarray:
    """Few examples padded to a power of two: cross-validation meets many sizes, and each would be compiled."""
    n = len(x)
    if n > LARGE:
        return x
    size = max(SMALL, 1 << (n - 1).bit_length())
    return np.concatenate([x, np.repeat(x[-1:], size - n, axis=0)])
