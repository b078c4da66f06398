r"""Training towards labels that turn with the input: vectors, tensors, in closed form.

An output of irrep $D^l$ has a matrix for each pair of inputs, $K(Rf, f') = D^l(R) K(f, f')$. Components of one output
are correlated, so training acts on all of them together, with the Gram matrix of blocks.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from ..dynamics import GradientFlow
from ..dynamics.checks import check_loss
from ..kernels import nngp_and_ntk
from ..nets import AbstractLayer


class EquivariantFlow(eqx.Module):
    """`GradientFlow` of a network whose output has components (d, 1), as after RotationProjection and Dense(1).

    Args:
        net: a description; its output has sites, which are the components.
        x_train: shape (n, *sites, channels).
        y_train: shape (n, d), in the order of the network's output: y, z, x for vectors (`from_vectors`).
        loss: "sum" over examples and components, or "mean": that sum divided by n.
        ridge: penalty, as for `GradientFlow`.

    Raises:
        ValueError: shapes that do not fit.

    References:
        Micchelli and Pontil (2005), Neural Computation 17, 177, for kernels with matrix values.
    """

    net: AbstractLayer
    x_train: Array
    flow: GradientFlow
    loss: str = eqx.field(static=True)

    def __init__(
        self, net: Any, x_train: ArrayLike, y_train: ArrayLike, *, loss: str | None = None, ridge: ArrayLike = 0.0
    ):
        check_loss(loss)
        x, y = jnp.asarray(x_train), jnp.asarray(y_train)
        k, theta = nngp_and_ntk(net, x)
        if k.ndim != 4 or y.shape != (len(x), k.shape[2]):
            d = k.shape[2] if k.ndim == 4 else "components"
            raise ValueError(
                f"EquivariantFlow expected labels ({len(x)}, {d}) for outputs with one axis of components, got labels "
                f"{y.shape} and kernels of shape {k.shape}; end the network with RotationProjection and Dense(1)."
            )
        self.net, self.x_train, self.loss = net, x, str(loss)
        self.flow = GradientFlow.from_gram(_blocks(k), _blocks(theta), y.reshape(-1), loss="sum", ridge=ridge)

    def mean(self, x: ArrayLike, t: ArrayLike) -> Array:
        """Mean predictor at test inputs (m, ...), shape (m, d); times first where `t` has them."""
        theta = self._cross(x)[1]
        out = self.flow.mean_from(_blocks(theta), self._time(t))
        return out.reshape(*jnp.shape(t), len(theta), -1)

    def covariance(self, x: ArrayLike, t: ArrayLike) -> Array:
        """Covariance over initialisations, of all components at test inputs: (m, d, m, d); times first."""
        k = nngp_and_ntk(self.net, jnp.asarray(x))[0]
        m, _, d, _ = k.shape
        cross = tuple(map(_blocks, self._cross(x)))
        return self.flow.covariance_from(_blocks(k), cross, None, self._time(t)).reshape(*jnp.shape(t), m, d, m, d)

    def _cross(self, x: ArrayLike) -> tuple[Array, Array]:
        return nngp_and_ntk(self.net, jnp.asarray(x), self.x_train)

    def _time(self, t: ArrayLike) -> Array:
        return jnp.asarray(t, self.x_train.dtype) / (len(self.x_train) if self.loss == "mean" else 1)


def _blocks(k: Array) -> Array:
    """(n1, n2, d, d) as a matrix (n1 d, n2 d)."""
    n1, n2, d, _ = k.shape
    return jnp.swapaxes(k, 1, 2).reshape(n1 * d, n2 * d)
