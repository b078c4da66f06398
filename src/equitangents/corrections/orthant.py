r"""Gaussian means of products of one-sided powers, $E[\prod_i z_i^{p_i} \theta(z_i)]$, z centred of covariance K.

What networks of ReLU need at the vertices where several samples meet in one neuron. Integration by parts lowers the
powers, Kan and Robotti (2017), theorem 1, until orthant probabilities are left:

$$E[z_i\, g] = \sum_j K_{ij}\, E[\partial_j g],$$

where the derivative of a step is a density at zero times a mean over the others, given that $z_j = 0$.

Equal, opposite and linearly dependent variables are those of $K + \epsilon\, \mathrm{diag}\, K$ for $\epsilon \to 0$,
as means are continuous in K. What pinned variables determine has a variance of order $\epsilon$ there: the density
above is multiplied by a covariance of that order, so the term is 0, and correlations are those of order $\epsilon$.
"""

import functools
import itertools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..numerics import arcsin_safe, safe_divide

ROUNDING = 1e-13
"""Relative error of covariances; conditional variances below it are zero."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)


class OneSidedMeans:
    r"""$E[\prod_i z_i^{p_i} \theta(z_i)]$ over $z \sim N(0, K)$ for any powers, each part computed once.

    Attributes:
        k: (m, m), positive semidefinite; of a variable that is always 0 the step is 1/2.

    References:
        Kan and Robotti (2017), J. Comput. Graph. Stat. 26, 930; Plackett (1954), Biometrika 41, 351.

    >>> import jax.numpy as jnp
    >>> round(float(OneSidedMeans(jnp.eye(2)).mean((1, 1))), 6)  # 1 / (2 pi)
    0.159155
    """

    def __init__(self, k: Float[Array, "m m"]):
        self.k = k
        self._mean = functools.cache(self._found)
        self._given = functools.cache(self._pinned)

    def mean(self, powers: tuple[int, ...]) -> Float[Array, ""]:
        """The mean for one power of each variable, 0 being the step; at most four variables.

        Raises:
            ValueError: more than four variables, or powers that do not fit the covariance.
        """
        if len(powers) > 4 or self.k.shape != (len(powers),) * 2 or min(powers, default=0) < 0:
            raise ValueError(
                f"expected powers of at most four variables and their covariance, got {powers} and {self.k.shape}."
            )
        return self._mean(tuple(enumerate(powers)), ())

    def _found(self, powers: tuple[tuple[int, int], ...], pinned: tuple[int, ...]) -> Array:
        """That of (variable, power), given that the pinned variables are 0."""
        k, more, zero = self._given(pinned)
        if not powers:
            return jnp.ones((), k.dtype)
        i, highest = max(powers, key=lambda each: each[1])
        if highest == 0:
            left = np.array([a for a, _ in powers])
            block = np.ix_(left, left)
            return orthant_probability(_correlation(k[block], more[block], zero[left]))
        lower = tuple((a, p - (a == i)) for a, p in powers)
        total = jnp.zeros((), k.dtype)
        for j, p in lower:
            if p > 0:
                part = p * self._mean(tuple((a, q - (a == j)) for a, q in lower), pinned)
            else:  # the step's derivative pins z_j to zero
                rest = tuple((a, q) for a, q in lower if a != j)
                density = jnp.where(zero[j], 0.0, 1 / jnp.sqrt(2 * math.pi * jnp.where(zero[j], 1.0, k[j, j])))
                part = self._mean(rest, tuple(sorted((*pinned, j)))) * density
            total = total + k[i, j] * part
        return total

    def _pinned(self, pinned: tuple[int, ...]) -> tuple[Array, Array, Array]:
        r"""Given that these are 0: the covariance to orders 0 and 1 in $\epsilon$, and which variances vanish."""
        size = jnp.diagonal(self.k)
        k, more, noise = self.k, jnp.diag(jnp.where(size > 0, size, 1.0)), jnp.full_like(size[0], ROUNDING)
        for j in pinned:
            own = jnp.where(k[j, j] <= noise * size[j], 1.0, k[j, j])  # if it vanishes, this is multiplied by 0
            slope = k[j] / own
            cross = jnp.outer(slope, more[j])
            more = more - cross - cross.T + jnp.outer(slope, slope) * more[j, j]
            k, noise = k - jnp.outer(slope, k[j]), noise * jnp.maximum(size[j] / own, 1.0)
        return k, more, jnp.diagonal(k) <= noise * size


def _correlation(k: Array, more: Array, zero: Array) -> Array:
    """Of variables some of which are of order epsilon: those are independent of the others."""
    both, none = zero[:, None] & zero[None, :], ~zero[:, None] & ~zero[None, :]
    k = jnp.where(both, more, jnp.where(none, k, 0.0))
    root = jnp.sqrt(jnp.diagonal(k))
    return jnp.clip(k / (root[:, None] * root[None, :]), -1, 1)


def orthant_probability(rho: Float[Array, "m m"]) -> Float[Array, ""]:
    r"""$P(z_1 > 0, \dots, z_m > 0)$ of centred Gaussian variables of these correlations, singular or not, m at most 4.

    Up to three variables by arcsines (Sheppard 1899); of four, Plackett's identity integrates from independent
    variables to the wanted ones: $\partial P / \partial\rho_{ij}$ is the density of $z_i = z_j = 0$ times the
    probability that the other two are positive there. Each pair's part over its own angle, which takes its root away.
    """
    m = len(rho)
    pairs = list(itertools.combinations(range(m), 2))
    if m <= 3:
        return 2.0**-m + sum((arcsin_safe(rho[i, j]) for i, j in pairs), jnp.zeros((), rho.dtype)) * (
            1 / (2 * math.pi) if m == 2 else 1 / (4 * math.pi)
        )
    s = (NODES + 1) / 2
    share, weight = jnp.asarray(1 - (1 - s) ** 2), jnp.asarray(WEIGHTS * (1 - s))  # 1 may be an end with a root
    total = jnp.zeros((), rho.dtype)
    for i, j in pairs:
        others = [a for a in range(4) if a not in (i, j)]
        end = arcsin_safe(rho[i, j])
        r = jnp.sin(share * end)
        less, more = (2 * jnp.sin((math.pi / 2 - sign * share * end) / 2) ** 2 for sign in (1, -1))  # 1 - r, 1 + r
        t = jnp.where(rho[i, j] == 0, share, safe_divide(r, jnp.broadcast_to(rho[i, j], r.shape)))
        left = {a: (t * rho[i, a], t * rho[j, a]) for a in others}

        def given(a: int, b: int, left=left, t=t, less=less, more=more) -> Array:
            (ia, ja), (ib, jb) = left[a], left[b]
            own = 1.0 if a == b else t * rho[a, b]
            return own - ((ia - ja) * (ib - jb) / less + (ia + ja) * (ib + jb) / more) / 2

        a, b = others
        cosine = given(a, b) / jnp.sqrt(given(a, a) * given(b, b))
        total = total + end * jnp.sum(weight * (0.25 + arcsin_safe(cosine) / (2 * math.pi)))
    return 1 / 16 + total / (2 * math.pi)
