"""Nonlinearities that are polynomials, whole or for positive arguments only."""

import abc
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .activations import AbstractActivation
from .base import Scalar, is_known


class AbstractPolynomial(AbstractActivation):
    """A polynomial, given by `powers`; the dual of each is exact, at all variances."""

    @property
    @abc.abstractmethod
    def powers(self) -> tuple[Scalar, ...]:
        """Coefficients of 1, z, z^2, ..."""

    def phi(self, z: Array) -> Array:
        total = jnp.zeros_like(z)
        for c in reversed(self.powers):
            total = total * z + jnp.asarray(c, z.dtype)
        return total


class Polynomial(AbstractPolynomial):
    r"""$\phi(z) = \sum_i c_i z^i$, `Polynomial((0.0, 1.0, 0.5))` for $z + z^2/2$.

    Attributes:
        coefficients: $c_0, c_1, \dots$
    """

    coefficients: tuple[Scalar, ...]

    def __init__(self, coefficients: tuple[Scalar, ...] | list[Scalar]):
        self.coefficients = tuple(coefficients)
        if not self.coefficients:
            raise ValueError("Polynomial expected at least one coefficient, got none; write (0.0, 1.0) for z.")
        if not all(math.isfinite(c) for c in self.coefficients if is_known(c)):
            raise ValueError(f"Polynomial expected finite coefficients, got {self.coefficients}.")

    @property
    def powers(self) -> tuple[Scalar, ...]:
        return self.coefficients


class Monomial(AbstractPolynomial):
    r"""$\phi(z) = z^n$.

    Attributes:
        degree: n, not negative.
    """

    degree: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_degree(self)

    @property
    def powers(self) -> tuple[Scalar, ...]:
        return (*(0.0,) * self.degree, 1.0)


class Hermite(AbstractPolynomial):
    r"""The probabilists' Hermite polynomial $\mathrm{He}_n(z) / \sqrt{n!}$, of mean square 1 for $z \sim N(0, 1)$.

    Attributes:
        degree: n, not negative.
    """

    degree: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_degree(self)

    @property
    def powers(self) -> tuple[Scalar, ...]:
        coefficients = np.polynomial.hermite_e.herme2poly([0] * self.degree + [1])
        return tuple(float(c) / math.sqrt(math.factorial(self.degree)) for c in coefficients)


class RectifiedMonomial(AbstractActivation):
    r"""$\phi(z) = z^n$ for $z \ge 0$, 0 else: a step for n = 0, ReLU for n = 1.

    Attributes:
        degree: n, not negative.

    References:
        Cho and Saul (2009), Kernel methods for deep learning, equation (1).
    """

    degree: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_degree(self)

    def phi(self, z: Array) -> Array:
        return jnp.where(z >= 0, z**self.degree, jnp.zeros_like(z))

    @property
    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


def _check_degree(layer: Monomial | Hermite | RectifiedMonomial) -> None:
    if isinstance(layer.degree, bool) or not isinstance(layer.degree, int):
        raise TypeError(f"{type(layer).__name__} expected an integer degree, got {layer.degree!r}; pass an int.")
    if layer.degree < 0:
        raise ValueError(f"{type(layer).__name__} expected degree >= 0, got {layer.degree}.")
