r"""How far training has come along one eigenvector: $p(s)$ of a residual remains, $w(s) = (1 - p(s)) / s$ is the gain.

Gradient flow: $p(s) = e^{-s t}$. Gradient descent: $p(s) = (1 - \eta s)^k$. With momentum m, p follows the recursion
$p_{k+1} = (1 + m - \eta s) p_k - m p_{k-1}$.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BITS = 32  # of the largest finite number of steps with momentum


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


class MomentumClock(AbstractClock):
    r"""Descent with momentum m, $v \leftarrow m v - \eta \nabla L$, $\theta \leftarrow \theta + v$, from v = 0.

    The gain itself obeys $v \leftarrow m v + \eta (1 - s w)$, $w \leftarrow w + v$. That is a matrix acting on
    (w, v, 1), whose powers are taken by repeated squaring: its eigenvalues, be they complex or equal, are not needed.

    References:
        Polyak (1964), USSR Computational Mathematics and Mathematical Physics 4, 1.
    """

    steps: Float[Array, ""]
    rate: Float[Array, ""]
    momentum: Float[Array, ""]

    def time(self) -> Float[Array, ""]:
        """The gain at s = 0: about rate steps / (1 - m)."""
        return self.gain(jnp.zeros_like(self.rate))

    def remaining(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        ended = jnp.isinf(self.steps) & (s > 0)
        return jnp.where(ended, 0, 1 - s * self._gain(s))

    def slope(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        gain, slope = jax.jvp(self._gain, (s,), (jnp.ones_like(s),))
        return jnp.where(jnp.isinf(self.steps), 0, -gain - s * slope)

    def gain(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        end = jnp.where(s > 0, 1 / jnp.where(s > 0, s, 1), jnp.inf)
        return jnp.where(jnp.isinf(self.steps), end, self._gain(s))

    def moments(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        def slope(s: Array) -> Array:
            return jax.jvp(self._gain, (s,), (jnp.ones_like(s),))[1]

        first, second = jax.jvp(slope, (jnp.zeros_like(self.rate),), (jnp.ones_like(self.rate),))
        return -first, second / 2

    def _gain(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        """At a finite number of steps; at inf as before the first."""
        zero, one = jnp.zeros_like(s), jnp.ones_like(s)
        m, step = self.momentum * one, self.rate * one
        # what a step adds to (w, v, 1): the identity is kept apart, as it would drown a small step
        rows = [[-step * s, m, step], [-step * s, m - 1, step], [zero, zero, zero]]
        change = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)

        def bit(state: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
            left, power, total = state
            with_power = total + power + power @ total
            total = jnp.where(jnp.mod(left, 2) == 1, with_power, total)
            return (jnp.floor(left / 2), 2 * power + power @ power, total), None

        steps = jax.lax.stop_gradient(jnp.where(jnp.isinf(self.steps), 0, self.steps))
        (_, _, total), _ = jax.lax.scan(bit, (steps, change, jnp.zeros_like(change)), length=BITS)
        return total[..., 0, 2]


def _product(s: Float[Array, "..."], t: Float[Array, ""]) -> Float[Array, "..."]:
    """s t, with 0 inf = 0."""
    return jnp.where(s == 0, 0, jnp.where(s == 0, 1, s) * t)


def _power(step: Float[Array, "..."], k: Float[Array, ""]) -> Float[Array, "..."]:
    """(1 - step)**k for 0 <= step < 2, keeping the digits of a small step and the sign of a large one."""
    k = jax.lax.stop_gradient(k)
    small = step < 0.5
    slow = jnp.exp(_product(jnp.log1p(-jnp.where(small, step, 0)), k))
    return jnp.where(small, slow, jnp.power(jnp.where(small, 0.5, 1 - step), k))
