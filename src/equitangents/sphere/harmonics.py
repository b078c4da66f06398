r"""Real spherical harmonics at any direction, as polynomials in x, y and z: smooth everywhere, the poles included."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from .wigner import check_degree


def real_harmonics(lmax: int, unit: Array) -> Array:
    r"""$R_{lm}(\hat x)$, orthonormal on the sphere; $R_{1m} = \sqrt{3/4\pi}\,(y, z, x)$.

    By the recursion of normalised Legendre functions in l, at fixed m, which is stable.

    Args:
        lmax: largest degree, from 0.
        unit: unit vectors, shape (..., 3); others give polynomials of degree l, of which the harmonics are the values
            on the sphere.

    Returns:
        Shape (..., (lmax + 1)^2), at l^2 + l + m.

    References:
        Press et al., Numerical Recipes, 3rd edition, section 6.7.1.

    >>> [round(float(value), 3) for value in real_harmonics(1, jnp.array([0.0, 0.0, 1.0]))]
    [0.282, 0.0, 0.489, 0.0]
    """
    check_degree("lmax", lmax)
    if unit.shape[-1:] != (3,):
        raise ValueError(f"expected vectors (..., 3), got shape {unit.shape}.")
    x, y, z = (unit[..., i] for i in range(3))
    found: dict[tuple[int, int], Array] = {}
    cosine, sine = jnp.ones_like(x), jnp.zeros_like(x)  # real and imaginary part of (x + iy)^m
    diagonal = math.sqrt(1 / (4 * math.pi))
    for m in range(lmax + 1):
        if m:
            cosine, sine = x * cosine - y * sine, x * sine + y * cosine
            diagonal *= math.sqrt((2 * m + 1) / (2 * m))
        before, now = jnp.zeros_like(z), jnp.full_like(z, diagonal)
        for l in range(m, lmax + 1):
            if l > m:
                a = math.sqrt((4 * l * l - 1) / (l * l - m * m))
                b = math.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1)) if l > m + 1 else 0.0
                before, now = now, a * (z * now - b * before)
            if m == 0:
                found[l, 0] = now
            else:
                found[l, m], found[l, -m] = math.sqrt(2) * now * cosine, math.sqrt(2) * now * sine
    return jnp.stack([found[l, m] for l in range(lmax + 1) for m in range(-l, l + 1)], axis=-1)
