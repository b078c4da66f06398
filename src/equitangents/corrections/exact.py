"""Polynomials: Gauss-Hermite with enough nodes is exact, whatever the covariance."""

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AbstractActivation, AbstractPolynomial, Identity
from ..numerics import gauss_hermite
from .expectations import expectations
from .grid import Rule, grid_means
from .request import Request
from .rules import Rules


def _rule(patterns: tuple[Request, ...], degree: int, k: Array) -> Rule:
    """Exact for the product of all factors: the first variable enters each of them."""
    factors = max(len(x) + len(y) for x, y in patterns)
    return tuple(jnp.asarray(a, k.dtype) for a in gauss_hermite(degree * factors // 2 + 1))  # type: ignore[return-value]


def _exact(layer: AbstractActivation, degree: int, patterns: tuple[Request, ...], k: Array) -> Array:
    def phi(z: Array) -> Array:  # a method would be hashed
        return layer.phi(z)

    return grid_means(phi, patterns, _rule(patterns, degree, k), k)


@expectations.register(Identity)
def _(layer: Identity, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _exact(layer, 1, patterns, k)


@expectations.register(AbstractPolynomial)
def _(layer: AbstractPolynomial, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _exact(layer, len(layer.powers) - 1, patterns, k)
