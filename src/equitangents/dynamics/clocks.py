r"""How far training has come along one eigenvector: $p(s)$ of a residual remains, $w(s) = (1 - p(s)) / s$ is the gain.

Gradient flow: $p(s) = e^{-s t}$. Gradient descent: $p(s) = (1 - \eta s)^k$.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractClock(eqx.Module):
    """A moment of training in the sum loss, as functions of the eigenvalues s >= 0 of the training kernel."""

    @abc.abstractmethod
    def time(self) -> Float[Array, ""]:
        """Time of the flow, or learning rate times steps."""

    @abc.abstractmethod
    def remaining(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        """p(s), elementwise."""

    @abc.abstractmethod
    def slope(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        """dp/ds, elementwise."""

    @abc.abstractmethod
    def gain(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        """w(s), elementwise; w(0) = time."""

    @abc.abstractmethod
    def moments(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """(c, d) in w(s) = time - c s + d s**2 + ..., at small s; finite times only."""


class FlowClock(AbstractClock):
    """Gradient flow at time t, inf allowed."""

    t: Float[Array, ""]

    def time(self) -> Float[Array, ""]:
        return self.t

    def remaining(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-_product(s, self.t))

    def slope(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        t = jnp.where(jnp.isinf(self.t), 0, self.t)
        return -t * jnp.exp(-s * t)

    def gain(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        safe = jnp.where(s > 0, s, 1)
        return jnp.where(s > 0, -jnp.expm1(-safe * self.t) / safe, self.t)

    def moments(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return self.t**2 / 2, self.t**3 / 6


class DescentClock(AbstractClock):
    """Gradient descent after a whole number of steps, inf allowed, at a stable learning rate."""

    steps: Float[Array, ""]
    rate: Float[Array, ""]

    def time(self) -> Float[Array, ""]:
        return self.rate * self.steps

    def remaining(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        return _power(self.rate * s, self.steps)

    def slope(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        steps = jnp.where(jnp.isinf(self.steps), 0, self.steps)
        return -self.rate * steps * _power(self.rate * s, jnp.maximum(steps - 1, 0))

    def gain(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        ended = jnp.isinf(self.steps)
        steps = jnp.where(ended, 1, self.steps)  # a zero tangent times inf would be nan
        safe = jnp.where(s > 0, s, 1)
        small = self.rate * safe < 0.5
        slow = -jnp.expm1(steps * jnp.log1p(-jnp.where(small, self.rate * safe, 0.5)))
        now = jnp.where(small, slow, 1 - _power(self.rate * safe, steps))
        return jnp.where(s > 0, jnp.where(ended, 1, now) / safe, jnp.where(ended, jnp.inf, self.rate * steps))

    def moments(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        pairs = self.steps * (self.steps - 1) / 2
        return self.rate**2 * pairs, self.rate**3 * pairs * (self.steps - 2) / 3


def _product(s: Float[Array, "..."], t: Float[Array, ""]) -> Float[Array, "..."]:
    """s t, with 0 inf = 0."""
    return jnp.where(s == 0, 0, jnp.where(s == 0, 1, s) * t)


def _power(step: Float[Array, "..."], k: Float[Array, ""]) -> Float[Array, "..."]:
    """(1 - step)**k for 0 <= step < 2, keeping the digits of a small step and the sign of a large one."""
    k = jax.lax.stop_gradient(k)
    small = step < 0.5
    slow = jnp.exp(_product(jnp.log1p(-jnp.where(small, step, 0)), k))
    return jnp.where(small, slow, jnp.power(jnp.where(small, 0.5, 1 - step), k))
