r"""The groups SO(2) and SO(3), sampled: quadrature nodes with weights, real irreps, and correlations of signals.

A signal is a vector of real harmonic coefficients, one degree after the other. Rotating it multiplies each degree by
its irrep, $\rho(R) f = D(R) f$, orthogonal; so $(\rho(R) f)(x) = f(R^{-1} x)$.
"""

import abc
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import eval_legendre, roots_jacobi

from ..groups.value import Value, frozen
from .transform import band_limit
from .wigner import check_degree, real_basis, wigner_d, wigner_real


class AbstractRotations(Value):
    """A compact group of rotations, sampled at nodes.

    Attributes:
        order: the quadrature is exact for irreps up to degree 2 order - 1, so for products of two up to order - 1.
        size: number of nodes.
        weights: (size,), of the normalised Haar measure: they add up to 1.
        volume: of the circle, 2 pi, or the sphere, 4 pi, that the group acts on.
    """

    order: int
    size: int
    weights: np.ndarray
    volume: float

    def __init__(self, order: int):
        check_degree("order", order)
        if order < 1:
            raise ValueError(f"expected order >= 1, got {order}.")
        self._set(order=int(order))
        self._set(weights=frozen(self._weights()))
        self._set(size=len(self.weights))

    def _key(self) -> tuple[Any, ...]:
        return (self.order,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.order})"

    @abc.abstractmethod
    def _weights(self) -> np.ndarray: ...

    @abc.abstractmethod
    def start(self, l: int) -> int:
        """Place of the first coefficient of degree l; that of lmax + 1 is the number of coefficients up to lmax."""

    @abc.abstractmethod
    def lmax(self, coefficients: int) -> int:
        """The band limit of so many coefficients; a ValueError if there is none."""

    @abc.abstractmethod
    def irreps(self, l: int) -> np.ndarray:
        """The real irrep of degree l at all nodes, shape (size, dim, dim)."""

    @abc.abstractmethod
    def multiplicity(self, l: int) -> int:
        r"""m in Parseval's theorem $\int u v\, dR = \sum_l m_l \sum_{mn} \hat u^l_{mn} \hat v^l_{mn}$."""

    @abc.abstractmethod
    def correlation(self, a: Array) -> Array:
        r"""$\sum_l \sum_{mn} A_{lm,ln} D^l_{mn}(Q)$ at all nodes Q, of A (coefficients, coefficients)."""

    def dim(self, l: int) -> int:
        """Dimension of the real irrep of degree l."""
        return self.start(l + 1) - self.start(l)

    def degrees(self, lmax: int) -> list[slice]:
        """Where the coefficients of each degree up to lmax stand."""
        return [slice(self.start(l), self.start(l + 1)) for l in range(lmax + 1)]


class SO2(AbstractRotations):
    r"""Rotations of the plane by $\theta_k = \pi k / B$, k < 2B, for order B; they act on signals on the circle.

    Coefficients are those of $1/\sqrt{2\pi}$, then of $\sin(l x)/\sqrt\pi, \cos(l x)/\sqrt\pi$ for l = 1, 2, ...:
    2 lmax + 1 in one axis. Degree 1 is a vector in the order y, x.

    >>> SO2(8).size
    16
    """

    volume = 2 * np.pi

    @property
    def angles(self) -> np.ndarray:
        return np.pi * np.arange(2 * self.order) / self.order

    def _weights(self) -> np.ndarray:
        return np.full(2 * self.order, 0.5 / self.order)

    def start(self, l: int) -> int:
        return max(0, 2 * l - 1)

    def lmax(self, coefficients: int) -> int:
        if coefficients % 2 == 0:
            raise ValueError(
                f"expected 2 lmax + 1 coefficients of a signal on the circle, got {coefficients}; give sine and cosine "
                "of every degree, with zeros where there is nothing."
            )
        return coefficients // 2

    def irreps(self, l: int) -> np.ndarray:
        return turned(l, self.angles)

    def multiplicity(self, l: int) -> int:
        return 1

    def correlation(self, a: Array) -> Array:
        s, c = np.arange(1, len(a), 2), np.arange(2, len(a), 2)
        angles = np.outer(self.angles, np.arange(1, len(s) + 1))
        cosine, sine = (jnp.asarray(table(angles), a.dtype) for table in (np.cos, np.sin))
        return a[0, 0] + cosine @ (a[s, s] + a[c, c]) + sine @ (a[s, c] - a[c, s])


class SO3(AbstractRotations):
    r"""Rotations of space, at Euler angles $\alpha, \gamma = \pi k/B$, k < 2B, and B + 1 Lobatto nodes in cos(beta).

    For order B: 4 B^2 (B + 1) nodes, alpha slowest. They act on signals on the sphere, of (lmax + 1)^2 coefficients of
    real harmonics. Degree 1 is a vector in the order y, z, x.

    The nodes hold the unit element, where k(Q) of a signal with itself has its peak, or its kink. So the first degree
    that is not integrated, 2B, counts too much and not too little: B Gauss-Legendre nodes are exact to the same degree,
    but Gram matrices of pooled kernels come out indefinite there.

    References:
        Abramowitz and Stegun (1964), 25.4.32.

    >>> SO3(4).size
    320
    """

    volume = 4 * np.pi

    @property
    def beta(self) -> np.ndarray:
        return np.arccos(_lobatto(self.order + 1)[0])

    @property
    def angles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Alpha, beta and gamma of the nodes, (size,) each."""
        turn = np.pi * np.arange(2 * self.order) / self.order
        alpha, beta, gamma = np.meshgrid(turn, self.beta, turn, indexing="ij")
        return alpha.ravel(), beta.ravel(), gamma.ravel()

    def _weights(self) -> np.ndarray:
        w, n = _lobatto(self.order + 1)[1] / 2, 2 * self.order
        return np.broadcast_to(w[:, None], (n, len(w), n)).ravel() / n**2

    def start(self, l: int) -> int:
        return l * l

    def lmax(self, coefficients: int) -> int:
        return band_limit(coefficients)

    def irreps(self, l: int) -> np.ndarray:
        return _irreps(self, l)

    def multiplicity(self, l: int) -> int:
        return 2 * l + 1

    def correlation(self, a: Array) -> Array:
        lmax = band_limit(len(a))
        places, basis, meridians, gammas, alphas = _correlation_tables(self, lmax)
        blocks = jnp.concatenate([a.ravel(), jnp.zeros(1, a.dtype)])[places]  # (l, m, n), zeros where |m| or |n| > l
        dtype = jnp.complex128 if a.dtype == jnp.float64 else jnp.complex64
        c = jnp.asarray(basis, dtype)
        blocks = jnp.einsum("am,lab,bn->lmn", c.conj()[:, lmax:], blocks.astype(dtype), c)
        rings = jnp.einsum("jlmn,lmn->jmn", jnp.asarray(meridians, a.dtype).astype(dtype), blocks)
        rings = jnp.einsum("jmn,nk->jmk", rings, jnp.asarray(gammas, dtype))  # m >= 0: the sum is real
        parts = jnp.concatenate([rings.real, rings.imag], axis=1)
        return jnp.einsum("im,jmk->ijk", jnp.asarray(alphas, a.dtype), parts).ravel()


def turned(l: int, angle) -> np.ndarray:
    """The real irrep of degree l of SO(2), in the order sine, cosine; shape (*angle.shape, dim, dim)."""
    check_degree("l", l)
    angle = np.asarray(angle, float)
    if l == 0:
        return np.ones((*angle.shape, 1, 1))
    c, s = np.cos(l * angle), np.sin(l * angle)
    return np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)


def _lobatto(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n > 1 nodes from 1 to -1, both included, and weights; exact for polynomials of degree 2n - 3."""
    inner = roots_jacobi(n - 2, 1, 1)[0] if n > 2 else np.zeros(0)
    x = np.concatenate([[1.0], inner[::-1], [-1.0]])
    return x, 2 / (n * (n - 1) * eval_legendre(n - 1, x) ** 2)


@functools.lru_cache(maxsize=4)  # at order 12 a table has up to 32 MB, and all 12 of them take a second
def _irreps(group: SO3, l: int) -> np.ndarray:
    return frozen(wigner_real(l, *group.angles))


@functools.lru_cache(maxsize=32)
def _correlation_tables(group: SO3, lmax: int) -> tuple[np.ndarray, ...]:
    """Places of the blocks of each degree, basis of m, d^l_mn(beta), and e^{-i n gamma} and e^{-i m alpha}, m >= 0."""
    size, span = (lmax + 1) ** 2, 2 * lmax + 1
    places = np.full((lmax + 1, span, span), size * size)
    basis, meridians = np.zeros((span, span), complex), np.zeros((len(group.beta), lmax + 1, lmax + 1, span))
    basis[:] = real_basis(lmax)  # that of a lower degree is its middle
    for l in range(lmax + 1):
        own, inside = np.arange(l * l, (l + 1) ** 2), slice(lmax - l, lmax + l + 1)
        places[l, inside, inside] = own[:, None] * size + own
        meridians[:, l, : l + 1, inside] = wigner_d(l, group.beta)[:, l:, :]
    turn, m = np.pi * np.arange(2 * group.order) / group.order, np.arange(lmax + 1)
    gammas = np.exp(-1j * np.outer(np.arange(-lmax, lmax + 1), turn))
    twice = np.where(m > 0, 2.0, 1.0)  # m and -m are conjugate
    alphas = np.concatenate([twice * np.cos(np.outer(turn, m)), twice * np.sin(np.outer(turn, m))], axis=1)
    return places, basis, meridians, gammas, alphas
