"""float64 or float32 for a while, on every version of JAX, without a global flag."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from ..kernels import nngp_and_ntk
from ..nets import AbstractLayer


def double() -> contextlib.AbstractContextManager:
    """Arrays made inside are float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(True)


def single() -> contextlib.AbstractContextManager:
    """Arrays made inside are float32, also where the caller has set float64 for everything."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(False)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(False)


def matrices(net: AbstractLayer, x1: np.ndarray, x2: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK of NumPy inputs, in their precision."""
    with double() if x1.dtype == np.float64 else single():
        pair = nngp_and_ntk(net, jnp.asarray(x1), None if x2 is None else jnp.asarray(x2))
        return np.asarray(pair[0]), np.asarray(pair[1])
