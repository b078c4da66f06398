r"""Hermite series of any length in few terms: orders ever farther apart, weighted by interpolation between them.

At variance k the terms of $E[\phi'(u)\phi'(v)] = \sum_n s_n(k_{11}) s_n(k_{22}) \rho^n$ reach to n of some ten times k,
but are smooth in n, for even and for odd n. So $\sum_m F(m)$ is $\sum_l w_l F(m_l)$ to the error of a local polynomial
through nodes $m_l$ whose distance doubles from block to block; $\rho^{m_l}$ follows by squaring, block by block.
"""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array


class StridedRule(NamedTuple):
    """Nodes m = per_block (2^b - 1) + j 2^b of a sum over m >= 0, b < blocks and j < per_block.

    Attributes:
        per_block: nodes of one distance.
        blocks: how often the distance doubles, plus one.
        degree: of the polynomials between nodes; odd.
        reach: deviations on each side that are integrated over for coefficients.
        error: of the sum of a decaying exponential, relative, at the worst rate.
    """

    per_block: int
    blocks: int
    degree: int
    reach: float
    error: float


SINGLE = StridedRule(12, 11, 7, 9.0, 5e-7)
DOUBLE = StridedRule(18, 11, 9, 12.0, 4e-9)


@functools.cache
def strided_nodes(rule: StridedRule) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes m and weights w: $\sum_{m \ge 0} F(m) \approx \sum_l w_l F(m_l)$ if F falls to 0 before the last.

    >>> m, w = strided_nodes(SINGLE)
    >>> decay = 0.999**m
    >>> bool(abs(w @ decay - 1000) < 1e-3)
    True
    """
    j = np.arange(rule.per_block)
    m: np.ndarray = np.concatenate([rule.per_block * (2**b - 1) + j * 2**b for b in range(rule.blocks)])
    w = np.ones(m.size)
    for left in np.flatnonzero(np.diff(m) > 1).tolist():
        half = min(rule.degree // 2, m.size - 2 - left)
        window = np.arange(left - half, left + half + 2)
        x, skipped = m[window].astype(float), np.arange(m[left] + 1, m[left + 1])[:, None]
        for i, at in enumerate(window):
            others = np.delete(x, i)
            w[at] += np.prod((skipped - others) / (x[i] - others), axis=1).sum()
    return m, w


@functools.cache
def strided_projections(rule: StridedRule) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""Points z > 0 with weights, and what takes values there to coefficients; $z \sim N(0, 1)$.

    Gauss-Legendre on panels, of three periods of the highest $h_n$ at most, and fine near 0 for large variances.

    Returns:
        z, weights: (points,), so that $E f(z) = \sum_i w_i (f(z_i) + f(-z_i)) / 2$.
        even, odd: (nodes, points): of even f, $\sqrt{w_l} E[f h_n]$ for n = 2 m_l + 2; of odd f for n = 2 m_l + 1.
    """
    m, w = strided_nodes(rule)
    top, roots = int(2 * m[-1] + 2), np.sqrt(np.maximum(w, 0))
    width = 6 * math.pi / math.sqrt(top)
    graded = 2e-4 * 1.5 ** np.arange(math.log(3 * width / 2e-4, 1.5))  # until steps are as wide
    edges = np.concatenate([[0], graded, np.linspace(graded[-1], rule.reach, math.ceil(rule.reach / width) + 1)[1:]])
    t, weight = np.polynomial.legendre.leggauss(16)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    z, dz = (middle[:, None] + half[:, None] * t).ravel(), (half[:, None] * weight).ravel()
    root_density = np.exp(-(z**2) / 4)
    measure = 2 * dz * root_density / math.sqrt(2 * math.pi)
    at = {int(2 * node + shift): (l, shift) for l, node in enumerate(m) for shift in (1, 2)}
    found = {shift: np.empty((m.size, z.size)) for shift in (1, 2)}
    before, now, spare = np.zeros_like(z), root_density.copy(), np.empty_like(z)
    for n in range(1, top + 1):  # h_n exp(-z^2 / 4), which stays of order 1
        np.multiply(z, now, out=spare)
        before *= math.sqrt(n - 1)
        spare -= before
        spare /= math.sqrt(n)
        before, now, spare = now, spare, before
        if n in at:
            l, shift = at[n]
            np.multiply(now, measure * roots[l], out=found[shift][l])
    return z, measure * root_density, found[2], found[1]


def strided_sums(
    s1: Array, s2: Array, d: Array, rule: StridedRule, even: bool, odd: bool
) -> tuple[Array, Array, Array]:
    r"""Sums over orders n of $\phi'$, with $p = s_n s_n'$: of $p \rho^n$, $p / (n+1)$, $p (1 - \rho^{n+1}) / (n+1)$.

    The first is $E[\phi'(u)\phi'(v)]$. Times $\sqrt{k_{11} k_{22}}$ the second is the covariance of phi at d = 0, and
    the third what d takes from it, without cancellation.

    Args:
        s1, s2: of u and of v, those of `strided_orders` times the roots of their weights, first axis; they broadcast
            against d behind it.
        d: angle defect, in [0, 2].
        rule: of the nodes m.
        even, odd: whether phi has even and odd parts, besides a constant and a linear one.
    """
    nodes, _ = strided_nodes(rule)
    rho, gap = 1 - d, d * (2 - d)
    gaps = [gap]  # 1 - rho^(2 h) of the steps h = 1, 2, 4, ...
    for _ in range(rule.blocks - 1):
        gaps.append(gaps[-1] * (2 - gaps[-1]))
    slopes = aligned = s1[0] * s2[0] + jnp.zeros_like(d)
    fall = slopes * d
    for i, order in enumerate([2] * even + [3] * odd):  # of phi, at m = 0
        at = slice(1 + i * nodes.size, 1 + (i + 1) * nodes.size)
        total, lost, sums = _summed(1 / (2 * nodes + order), s1[at], s2[at], jnp.stack(gaps))
        lost = gap * lost  # the sum of 1 - rho^(2 m + 2)
        power, lost = (rho, lost) if order == 2 else (rho * rho, d * total + rho * lost)
        slopes, aligned, fall = slopes + power * sums, aligned + total, fall + lost
    return slopes, aligned, fall


def _summed(inverses: np.ndarray, s1: Array, s2: Array, gaps: Array) -> tuple[Array, Array, Array]:
    r"""$\sum a$, $\sum a (1 - \rho^{2m+2}) / (1 - \rho^2)$ and $\sum p \rho^{2m}$, with $p = s s'$ and $a = p / n$.

    Horner's rule from the last node down. In each block powers are those of its step h, and `tails` is in units of
    $1 - \rho^{2h}$, $1 + \rho^h$ times those of the block before.
    """
    blocks = gaps.shape[0]

    def block(carry, x):
        total, tails, sums = carry
        gap, inverse, one, two = x
        base = 1 - gap
        tails = tails * (1 + base)
        for j in reversed(range(inverse.shape[0])):
            product = one[j] * two[j]
            tails, sums = tails * base + total, sums * base + product
            total = total + inverse[j] * product
        return (total, tails, sums), None

    zero = jnp.zeros_like(gaps[0])
    xs = tuple(a.reshape(blocks, -1, *a.shape[1:]) for a in (jnp.asarray(inverses, gaps.dtype), s1, s2))
    (total, tails, sums), _ = lax.scan(block, (zero,) * 3, (gaps, *xs), reverse=True)
    return total, total + (1 - gaps[0]) * tails, sums


def strided_orders(rule: StridedRule, even: bool, odd: bool) -> np.ndarray:
    """The orders of phi' summed over, one less than those of phi: 0, then 2 m + 1 and 2 m + 2 of each part there is."""
    nodes, _ = strided_nodes(rule)
    return np.concatenate([[0], *[2 * nodes + shift for present, shift in ((even, 1), (odd, 2)) if present]])
