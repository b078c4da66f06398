"""Recurrent layers: the same weights at each time."""

import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .activations import AbstractActivation
from .base import AbstractLayer, Params, Shape, check_shape
from .dense import Dense


class Recurrent(AbstractLayer):
    r"""$h_t = \phi(u_t)$, $u_t = \text{hidden}(h_{t-1}) + \text{read}(x_t)$, with one set of weights for all times.

    Takes `(times, channels)` to `(times, width)`; the state before the first time is 0, and the bias of `hidden` acts
    from the second time on. `Slice(-1)` behind it reads the last state, a pool averages all.

    Attributes:
        read: how the input enters; its width is that of the state.
        phi: the nonlinearity.
        hidden: how the state enters, of the same width.

    References:
        Elman (1990); Yang (2019), arXiv:1910.12478 (Gaussian process); Alemohammad et al. (2021), arXiv:2006.10246
        (tangent kernel).

    >>> from equitangents.nets import Tanh, output_shape
    >>> output_shape(Recurrent(Dense(8, sigma_b=0.1), Tanh(), Dense(8)), (5, 3))
    (5, 8)
    """

    read: Dense
    phi: AbstractActivation
    hidden: Dense

    def __check_init__(self) -> None:
        for name, kind in (("read", Dense), ("phi", AbstractActivation), ("hidden", Dense)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(
                    f"Recurrent expected {name} to be {kind.__name__.replace('AbstractA', 'an a')}, got "
                    f"{getattr(self, name)!r}; write Recurrent(Dense(8), Tanh(), Dense(8))."
                )
        if self.read.width != self.hidden.width:
            raise ValueError(
                f"Recurrent expected read and hidden of one width, got {self.read.width} and {self.hidden.width}."
            )

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=1)
        read_key, hidden_key = jr.split(key)
        width = self.read.width
        read, hidden = self.read.init(read_key, shape)[1], self.hidden.init(hidden_key, (width,))[1]
        return (shape[0], width), {"read": read, "hidden": hidden}

    def apply(self, params: Params, x: Array, real: Array | None = None) -> Array:
        """The states for one example; where `real`, of shape (times,), is 0, the state is 0."""
        driven = self.read.apply(params["read"], x)
        later = follows(x.shape[0], real).astype(x.dtype)

        def step(state: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            drive, goes_on = now
            state = self.phi.apply({}, self.hidden.apply(params["hidden"], state) * goes_on + drive)
            return state, state

        return lax.scan(step, jnp.zeros_like(driven[0]), (driven, later))[1]


def follows(times: int, real: Array | None) -> Array:
    """1 at times that a state comes before, 0 at the first and after those that are not `real`."""
    before = jnp.ones(times - 1) if real is None else real[:-1]
    return jnp.concatenate([jnp.zeros(1, before.dtype), before])
