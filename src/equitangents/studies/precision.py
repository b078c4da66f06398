"""Kernels of NumPy inputs in their own precision."""

import jax.numpy as jnp
import numpy as np

from ..kernels import nngp_and_ntk
from ..nets import AbstractLayer
from ..numerics.precision import double as double
from ..numerics.precision import single as single


def matrices(net: AbstractLayer, x1: np.ndarray, x2: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK of NumPy inputs, in their precision."""
    with double() if x1.dtype == np.float64 else single():
        pair = nngp_and_ntk(net, jnp.asarray(x1), None if x2 is None else jnp.asarray(x2))
        return np.asarray(pair[0]), np.asarray(pair[1])
