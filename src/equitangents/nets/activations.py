"""Nonlinearities: functions of one number, applied to every entry."""

import abc
import dataclasses
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


class AbstractParameterised(AbstractActivation):
    """A nonlinearity whose fields are all numbers."""

    def __check_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_range(self, field.name)

    def numbers(self, like: Array) -> tuple[Array, ...]:
        """The fields in their order, in the precision of `like`."""
        return tuple(jnp.asarray(getattr(self, field.name), like.dtype) for field in dataclasses.fields(self))


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


class LeakyRelu(AbstractParameterised):
    """phi(z) = z for z > 0, slope * z else.

    Attributes:
        slope: slope for negative arguments.
    """

    slope: Scalar = 0.01

    def phi(self, z: Array) -> Array:
        return jnp.where(z > 0, z, jnp.asarray(self.slope, z.dtype) * z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class AbRelu(AbstractParameterised):
    """phi(z) = a min(z, 0) + b max(z, 0).

    Attributes:
        a: slope for negative arguments.
        b: slope for positive arguments.
    """

    a: Scalar
    b: Scalar

    def phi(self, z: Array) -> Array:
        a, b = self.numbers(z)
        return jnp.where(z > 0, b * z, a * z)

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


class Sign(AbstractActivation):
    """phi(z) = -1, 0 or 1. Its derivative is 0 as JAX has it, so what stands before it does not learn."""

    def phi(self, z: Array) -> Array:
        return jnp.sign(z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class Erf(AbstractParameterised):
    r"""$\phi(z) = a\,\mathrm{erf}(b z) + c$.

    Attributes:
        a: height.
        b: slope of the argument.
        c: shift.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0
    c: Scalar = 0.0

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


class Sin(AbstractParameterised):
    r"""$\phi(z) = a \sin(b z + c)$.

    Attributes:
        a: amplitude.
        b: frequency, in radians per unit.
        c: phase, in radians.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0
    c: Scalar = 0.0

    def phi(self, z: Array) -> Array:
        a, b, c = self.numbers(z)
        return a * jnp.sin(b * z + c)


class Cos(AbstractParameterised):
    r"""$\phi(z) = a \cos(b z + c)$.

    Attributes:
        a: amplitude.
        b: frequency, in radians per unit.
        c: phase, in radians.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0
    c: Scalar = 0.0

    def phi(self, z: Array) -> Array:
        a, b, c = self.numbers(z)
        return a * jnp.cos(b * z + c)


class Rbf(AbstractActivation):
    r"""$\phi(z) = \sqrt2 \sin(\sqrt{2\gamma}\, z + \pi/4)$: one layer gives $\exp(-\gamma E(u - v)^2)$.

    Attributes:
        gamma: inverse square of a length, not negative.

    References:
        Rahimi and Recht (2007), Random features for large-scale kernel machines.
    """

    gamma: Scalar = 1.0

    def __check_init__(self) -> None:
        check_range(self, "gamma", low=0.0)

    def phi(self, z: Array) -> Array:
        return math.sqrt(2) * jnp.sin(jnp.sqrt(2 * jnp.asarray(self.gamma, z.dtype)) * z + math.pi / 4)


class Exp(AbstractParameterised):
    r"""$\phi(z) = a\, e^{b z}$.

    Attributes:
        a: value at 0.
        b: rate, per unit.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0

    def phi(self, z: Array) -> Array:
        a, b = self.numbers(z)
        return a * jnp.exp(b * z)


class Gaussian(AbstractActivation):
    r"""$\phi(z) = a\, e^{-b z^2}$.

    Attributes:
        a: height.
        b: inverse square of a length, not negative.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0

    def __check_init__(self) -> None:
        check_range(self, "a")
        check_range(self, "b", low=0.0)

    def phi(self, z: Array) -> Array:
        return jnp.asarray(self.a, z.dtype) * jnp.exp(-jnp.asarray(self.b, z.dtype) * z**2)


class Gabor(AbstractActivation):
    r"""$\phi(z) = e^{-z^2} \sin z$."""

    def phi(self, z: Array) -> Array:
        return jnp.exp(-(z**2)) * jnp.sin(z)


class ExpNormalized(AbstractParameterised):
    r"""$k_{12} \to \sqrt{k_{11} k_{22}}\, \exp(\gamma (\cos\theta + \text{shift}))$: a kernel without a network.

    It divides by the preactivations' own deviation, which no function of one number does: `apply` refuses.

    Attributes:
        gamma: inverse square of an angle, not negative.
        shift: -1 keeps variances as they are.

    References:
        Shankar et al. (2020), arXiv:2003.02237, section 3.
    """

    gamma: Scalar = 1.0
    shift: Scalar = -1.0

    def __check_init__(self) -> None:
        check_range(self, "gamma", low=0.0)
        check_range(self, "shift")

    def phi(self, z: Array) -> Array:
        raise NotImplementedError(
            "ExpNormalized has a kernel but no finite network: no function of one number divides by its own deviation "
            "over channels. Take Rbf for the same kernel of normalised inputs."
        )


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


class Mish(AbstractActivation):
    """phi(z) = z tanh(log(1 + exp z)).

    References:
        Misra (2019), arXiv:1908.08681.
    """

    def phi(self, z: Array) -> Array:
        return z * jnp.tanh(jax.nn.softplus(z))


class Elu(AbstractParameterised):
    """phi(z) = z for z > 0, alpha (exp z - 1) else.

    Attributes:
        alpha: the limit for large negative arguments is -alpha.
    """

    alpha: Scalar = 1.0

    def phi(self, z: Array) -> Array:
        safe = jnp.where(z > 0, 0.0, z)
        return jnp.where(z > 0, z, jnp.asarray(self.alpha, z.dtype) * jnp.expm1(safe))

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class Selu(AbstractActivation):
    """phi(z) = 1.0507 Elu(1.6733): variance 1 and mean 0 stay so.

    References:
        Klambauer et al. (2017), arXiv:1706.02515, equation (2).
    """

    def phi(self, z: Array) -> Array:
        return jax.nn.selu(z)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


class Activation(AbstractActivation):
    """Any function of one number, `Activation(jnp.arctan)`; its dual is found by a series or by quadrature.

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
