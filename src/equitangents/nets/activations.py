"""Nonlinearities: functions of one number, applied to every entry."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Scalar, Shape, check_range, check_shape


class AbstractActivation(AbstractLayer):
    """A layer that applies `phi` to every entry.

    `kinks` are the points where a derivative of `phi` jumps; quadrature is split there. A closed form of its dual is
    registered in `equitangents.kernels`, with `dual.register`; without one the quadrature is used.
    """

    @abc.abstractmethod
    def phi(self, z: Array) -> Array:
        """The function, elementwise."""

    @property
    def kinks(self) -> tuple[float, ...]:
        return ()

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return shape, {}

    def apply(self, params: Params, x: Array) -> Array:
        return self.phi(x)


class Identity(AbstractActivation):
    """phi(z) = z."""

    def phi(self, z: Array) -> Array:
        return z


class Relu(AbstractActivation):
    """phi(z) = max(z, 0)."""

    def phi(self, z: Array) -> Array:
        return jax.nn.relu(z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class LeakyRelu(AbstractActivation):
    """phi(z) = z for z > 0, slope * z else.

    Attributes:
        slope: slope for negative arguments.
    """

    slope: Scalar = 0.01

    def __check_init__(self) -> None:
        check_range(self, "slope")

    def phi(self, z: Array) -> Array:
        return jnp.where(z > 0, z, jnp.asarray(self.slope, z.dtype) * z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class Abs(AbstractActivation):
    """phi(z) = |z|."""

    def phi(self, z: Array) -> Array:
        return jnp.abs(z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class AbstractScaled(AbstractActivation):
    """A nonlinearity of three numbers a, b and c, which each subclass explains."""

    a: Scalar = 1.0
    b: Scalar = 1.0
    c: Scalar = 0.0

    def __check_init__(self) -> None:
        for name in ("a", "b", "c"):
            check_range(self, name)

    def numbers(self, like: Array) -> tuple[Array, Array, Array]:
        """a, b and c in the precision of `like`."""
        return jnp.asarray(self.a, like.dtype), jnp.asarray(self.b, like.dtype), jnp.asarray(self.c, like.dtype)


class Erf(AbstractScaled):
    r"""$\phi(z) = a\,\mathrm{erf}(b z) + c$.

    Attributes:
        a: height.
        b: slope of the argument.
        c: shift.
    """

    def phi(self, z: Array) -> Array:
        a, b, c = self.numbers(z)
        return a * erf(b * z) + c


class Gelu(AbstractActivation):
    r"""$\phi(z) = z\,\Phi(z)$, with the exact Gaussian distribution function.

    References:
        Hendrycks and Gimpel (2016), arXiv:1606.08415.
    """

    def phi(self, z: Array) -> Array:
        return z * (1 + erf(z / math.sqrt(2))) / 2


class Sin(AbstractScaled):
    r"""$\phi(z) = a \sin(b z + c)$.

    Attributes:
        a: amplitude.
        b: frequency, in radians per unit.
        c: phase, in radians.
    """

    def phi(self, z: Array) -> Array:
        a, b, c = self.numbers(z)
        return a * jnp.sin(b * z + c)


class Cos(AbstractScaled):
    r"""$\phi(z) = a \cos(b z + c)$.

    Attributes:
        a: amplitude.
        b: frequency, in radians per unit.
        c: phase, in radians.
    """

    def phi(self, z: Array) -> Array:
        a, b, c = self.numbers(z)
        return a * jnp.cos(b * z + c)


class Tanh(AbstractActivation):
    """phi(z) = tanh z."""

    def phi(self, z: Array) -> Array:
        return jnp.tanh(z)


class Sigmoid(AbstractActivation):
    """The logistic function, phi(z) = 1 / (1 + exp(-z))."""

    def phi(self, z: Array) -> Array:
        return jax.nn.sigmoid(z)


class Silu(AbstractActivation):
    """phi(z) = z / (1 + exp(-z)), also called swish."""

    def phi(self, z: Array) -> Array:
        return jax.nn.silu(z)


class Softplus(AbstractActivation):
    """phi(z) = log(1 + exp z)."""

    def phi(self, z: Array) -> Array:
        return jax.nn.softplus(z)


class Elu(AbstractActivation):
    """phi(z) = z for z > 0, alpha (exp z - 1) else.

    Attributes:
        alpha: the limit for large negative arguments is -alpha.
    """

    alpha: Scalar = 1.0

    def __check_init__(self) -> None:
        check_range(self, "alpha")

    def phi(self, z: Array) -> Array:
        safe = jnp.where(z > 0, 0.0, z)
        return jnp.where(z > 0, z, jnp.asarray(self.alpha, z.dtype) * jnp.expm1(safe))

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class Activation(AbstractActivation):
    """Any function of one number, `Activation(jnp.arctan)`; its dual is computed by quadrature.

    Attributes:
        function: elementwise, differentiable by JAX; called with arrays of any shape.
        breaks: the points where a derivative of the function jumps, where the quadrature is split.
    """

    function: Callable[[Array], Array] = eqx.field(static=True)
    breaks: tuple[float, ...] = eqx.field(static=True, default=())

    def __init__(self, phi: Callable[[Array], Array], kinks: tuple[float, ...] = ()):
        if not callable(phi):
            raise TypeError(f"Activation expected a function of one number, got {phi!r}; pass for example jnp.tanh.")
        kinks = tuple(float(kink) for kink in kinks)
        if not all(map(math.isfinite, kinks)):
            raise ValueError(f"Activation expected finite kinks, got {kinks}.")
        self.function, self.breaks = phi, tuple(sorted(kinks))

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", repr(self.function))
        return f"Activation({name}, kinks={self.breaks})" if self.breaks else f"Activation({name})"

    def phi(self, z: Array) -> Array:
        return self.function(z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return self.breaks
