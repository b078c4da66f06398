r"""Hermite series of nonlinearities without a closed form: coefficients from a table, for variances of many sizes.

The coefficients of phi' are functions of the variance alone. They are found once for each nonlinearity, on a fine grid
at Chebyshev points of log k, and interpolated; small variances, where they fall to 0, take a coarse grid instead. What
the orders kept lack of $E[\phi'^2]$ is given to the last of them: at d = 0 it is then right however large the variance.
For phi that varies too fast for a table, or holds traced numbers, plain series are summed.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from ..numerics import (
    DOUBLE,
    SINGLE,
    Expansion,
    StridedRule,
    as_defect,
    expansion,
    hermite_coefficients,
    hermite_rule,
    materialise,
    parity_of,
    series_dual,
    series_tails,
    strided_nodes,
    strided_orders,
    strided_projections,
    strided_sums,
)
from ..numerics.hermite import Parity
from .nearby import defect_of_variances, log_variance

SMALLEST, LARGEST = 1 / 16, 1e6
"""Variances of the table. Below, orders under DIRECT are enough; beyond, phi is taken as a power of its argument."""
DIRECT = 128
POINTS = {False: 48, True: 80}
"""Of a table, by whether in float64."""
WORST = 1e-4
"""A table, or a series, that leaves more at variances up to 16, or at 1, is not used."""
MOST_TERMS = 256
REFERENCE_VARIANCE = 16.0


class PlainPlan(NamedTuple):
    """How many terms of the series of phi' are summed, and whether phi is odd or even."""

    terms: int
    parity: Parity


class TablePlan(NamedTuple):
    r"""A table of coefficients.

    Attributes:
        rule: which orders are summed.
        even, odd: whether phi has such a part, besides a constant and a linear one.
        table: (1 + orders, points), Chebyshev coefficients in log k of $E[\phi] / \sqrt{E[\phi^2]}$ and of the terms of
            `strided_orders` divided by $\sqrt{E[\phi'^2]}$.
        sizes: (2, points), those of the logarithms of $E[\phi^2]$ and $E[\phi'^2]$, less `powers` of 1 + k.
        powers: (2,), how both grow with k in the end.
    """

    rule: StridedRule
    even: bool
    odd: bool
    table: np.ndarray
    sizes: np.ndarray
    powers: tuple[float, float]


Plan = TablePlan | PlainPlan | None
Dual = tuple[Array, Array, Array]


def series_plan(layer: AbstractActivation, double: bool) -> Plan:
    """How the series of this nonlinearity is summed; None where it converges too slowly, as with kinks."""
    if layer.kinks:
        return None
    try:
        return _plan(layer, double, jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    except (TypeError, jax.errors.ConcretizationTypeError):  # it holds numbers that are traced
        return untabled()


def untabled() -> PlainPlan:
    """The plan for a nonlinearity whose numbers are traced, so that nothing is known of it."""
    return PlainPlan(MOST_TERMS // 2, "none")


@functools.lru_cache(maxsize=256)
def _plan(layer: AbstractActivation, double: bool, x64: bool) -> Plan:
    """What is sampled has the digits of `x64`, so a plan made without it is another one."""
    with jax.ensure_compile_time_eval():
        tabled = _table_plan(layer, double)
        if tabled is not None:
            return tabled
        slope = _slope(layer)
        if not series_tails(slope, 1.0, [MOST_TERMS])[0] < WORST:
            return None
        numbers = np.arange(4, MOST_TERMS + 1)
        left = series_tails(slope, REFERENCE_VARIANCE, numbers.tolist())
        enough = numbers[left < (1e-9 if double else 1e-6)]
        return PlainPlan(int(enough[0]) if enough.size else MOST_TERMS, parity_of(layer.phi))


def series_error(layer: AbstractActivation, plan: TablePlan | PlainPlan, variance: float, double: bool) -> float:
    """Of both expectations, relative to those at d = 0, without rounding."""
    if isinstance(plan, PlainPlan):
        return _plain_error(layer, plan, variance, not double)
    return _table_error(layer, plan, variance)


def series_of(layer: AbstractActivation, plan: TablePlan | PlainPlan, k11: Array, k22: Array, d: Array) -> Dual:
    """Both expectations and the defect after, of variances and a defect that broadcast."""
    if isinstance(plan, PlainPlan):
        plain1, plain2 = (_plain(layer, k, plan.terms) for k in (k11, k22))
        return series_dual(plain1, plain2, d, plan.parity)
    one, two = (_tabled(layer, k, plan) for k in (k11, k22))
    e_prime, aligned, fall = strided_sums(one.slopes, two.slopes, d, plan.rule, plan.even, plan.odd)
    inverse = one.scale * two.scale
    start, near = defect_of_variances(one.metric, two.metric, one.log, two.log)
    start = jnp.where(near, start, 1 - one.mean * two.mean - inverse * aligned)
    d_out = as_defect(start + inverse * fall)
    return one.size * two.size * (1 - d_out), e_prime, d_out


def _slope(layer: AbstractActivation) -> Callable[[Array], Array]:
    return lambda z: jax.jvp(lambda x: layer.phi(x), (z,), (jnp.ones_like(z),))[1]  # a method would be hashed


def _plain(layer: AbstractActivation, k: Array, terms: int) -> Expansion:
    return materialise(expansion(_mean(layer, k), hermite_coefficients(_slope(layer), k, range(terms)), k))


class Tabled(NamedTuple):
    r"""What belongs to one input, of the shape of its variance.

    Attributes:
        size: $\sqrt{E \phi^2}$.
        mean: E[phi] / size.
        slopes: the terms of phi', first axis.
        scale: $\sqrt k$ / size.
        metric, log: `nearby.variance_metric` and `nearby.log_variance`.
    """

    size: Array
    mean: Array
    slopes: Array
    scale: Array
    metric: Array
    log: Array


def _tabled(layer: AbstractActivation, k: Array, plan: TablePlan) -> Tabled:
    def unit(k: Array) -> tuple[Array, Expansion]:
        found = _interpolated(layer, k, plan)
        return found.unit, found

    _, moved, found = jax.jvp(unit, (k,), (k,), has_aux=True)
    metric = jnp.sum(moved**2, axis=0)
    return materialise(Tabled(found.size, found.unit[0], found.slopes, found.scale, metric, log_variance(k)))


def _interpolated(layer: AbstractActivation, k: Array, plan: TablePlan) -> Expansion:
    """Terms as `strided_orders` has them."""
    orders, roots = _orders(plan)
    few, many = k < SMALLEST, k > LARGEST
    inside = jnp.where(few, SMALLEST, jnp.where(many, LARGEST, k))  # clip would halve derivatives at its ends
    small = jnp.where(few, k, SMALLEST)
    rows = jnp.asarray(np.concatenate([plan.sizes, plan.table]), k.dtype)
    found = jnp.tensordot(rows, _chebyshev(jnp.log(inside), rows.shape[1]), 1, precision=lax.Precision.HIGHEST)
    beyond, growth = jnp.log(jnp.where(many, k / LARGEST, 1)), jnp.log1p(inside)  # beyond, phi is a power
    square = found[0] + plan.powers[0] * (growth + beyond)
    slope_square = found[1] + plan.powers[1] * growth + (plan.powers[0] - 1) * beyond

    factors = np.where(orders < DIRECT, roots, 0)
    direct = hermite_coefficients(_slope(layer), small, np.minimum(orders, DIRECT - 1).tolist(), factors)
    mean = jnp.where(few, _mean(layer, small), found[2] * jnp.exp(square / 2))
    slopes = jnp.where(few[None], direct, found[3:] * jnp.exp(slope_square / 2)[None])
    return expansion(mean, slopes, k, orders + 1)


def _mean(layer: AbstractActivation, k: Array) -> Array:
    return hermite_coefficients(lambda z: layer.phi(z), k, [0])[0]


def _orders(plan: TablePlan) -> tuple[np.ndarray, np.ndarray]:
    """Orders of phi', and the roots of their weights."""
    _, weights = strided_nodes(plan.rule)
    return strided_orders(plan.rule, plan.even, plan.odd), np.sqrt([1, *[*weights] * (plan.even + plan.odd)])


def _chebyshev(log_k: Array, points: int) -> Array:
    """The polynomials of degrees below `points`, first axis, on the range of the table."""
    low, high = math.log(SMALLEST), math.log(LARGEST)
    x = (2 * log_k - (low + high)) / (high - low)

    def step(carry, _):
        before, now = carry
        return (now, 2 * x * now - before), before

    return lax.scan(step, (jnp.ones_like(x), x), None, length=points)[1]


def _plain_error(layer: AbstractActivation, plan: PlainPlan, variance: float, single: bool) -> float:
    """What is left, and what the grid of coefficients misses, both as a grid of its own finds them."""
    found, exact = (
        (w, np.asarray(_slope(layer)(jnp.asarray(math.sqrt(variance) * z)), np.float64))
        for z, w in (hermite_rule(plan.terms, single), hermite_rule(plan.terms, single, 2**14))
    )
    whole = exact[0][0] @ exact[1] ** 2
    used, true = ((w @ values) ** 2 for w, values in (found, exact))
    return float(min((abs(whole - true.sum()) + np.abs(used - true).sum()) / whole, 1))


class Coefficients(NamedTuple):
    """Of one nonlinearity at some variances (n,).

    Attributes:
        mean, square: E[phi] and E[phi^2], (n,).
        parts: the terms of phi' in the order of `strided_orders`, an array (orders, n) for each part.
        squares: E of the square of each part of phi', (n,) each.
    """

    mean: np.ndarray
    square: np.ndarray
    parts: list[np.ndarray]
    squares: list[np.ndarray]

    def completed(self) -> np.ndarray:
        """All terms divided by the root of E[phi'^2]; the last of each part with what is left by the others."""
        whole = []
        for part, square in zip(self.parts, self.squares, strict=True):
            last = np.sqrt(np.maximum(square - np.sum(part[:-1] ** 2, axis=0), 0))
            whole += [part[:-1], np.copysign(last, part[-1])[None]]
        return np.concatenate(whole) / np.sqrt(sum(self.squares))

    def left(self) -> np.ndarray:
        """The share of E[phi'^2] that no term has."""
        pairs = zip(self.parts, self.squares, strict=True)
        return sum(np.abs(square - np.sum(part**2, axis=0)) for part, square in pairs) / sum(self.squares)


def _coefficients(layer: AbstractActivation, rule: StridedRule, k: np.ndarray, even: bool, odd: bool) -> Coefficients:
    z, weights, of_even, of_odd = strided_projections(rule)
    (plus, minus), (slope_plus, slope_minus) = _values(layer, np.sqrt(k) * z[:, None])
    symmetric, antisymmetric = (slope_plus + slope_minus) / 2, (slope_plus - slope_minus) / 2
    linear = weights @ symmetric
    parts, squares = [linear[None]], [linear**2]
    if even:  # an even phi has an odd slope
        parts, squares = [*parts, of_odd @ antisymmetric], [*squares, weights @ antisymmetric**2]
    if odd:
        parts, squares = [*parts, of_even @ symmetric], [*squares, weights @ (symmetric - linear) ** 2]
    return Coefficients(weights @ (plus + minus) / 2, weights @ (plus**2 + minus**2) / 2, parts, squares)


def _values(layer: AbstractActivation, x: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """phi at x and -x, and phi' there."""
    both = [jax.jvp(lambda y: layer.phi(y), (z,), (jnp.ones_like(z),)) for z in (jnp.asarray(x), jnp.asarray(-x))]
    return tuple((np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(*both, strict=True))


def _parts(layer: AbstractActivation) -> tuple[bool, bool]:
    """Whether phi has even and odd parts besides a constant and a linear one, where it is looked at."""
    _, (plus, minus) = _values(layer, np.linspace(0.05, 12, 120))
    close = 16 * float(jnp.finfo(jnp.asarray(0.0).dtype).eps) * np.abs(plus).max()
    return bool(np.ptp((plus - minus) / 2) > close or abs(plus - minus).max() > close), bool(
        np.ptp((plus + minus) / 2) > close
    )


def _table_plan(layer: AbstractActivation, double: bool) -> TablePlan | None:
    rule, points = (DOUBLE if double else SINGLE), POINTS[double]
    low, high = math.log(SMALLEST), math.log(LARGEST)
    t = np.cos(math.pi * (np.arange(points) + 0.5) / points)
    k = np.exp((low + high) / 2 + (high - low) / 2 * t)
    even, odd = _parts(layer)
    with np.errstate(all="ignore"):
        at = _coefficients(layer, rule, k, even, odd)
        rows = np.concatenate([(at.mean / np.sqrt(at.square))[None], at.completed()])
        logs = np.log(np.stack([at.square, sum(at.squares)]))
    if not (np.all(np.isfinite(rows)) and np.all(np.isfinite(logs))):
        return None
    growth = np.log1p(k)
    powers = (logs[:, 0] - logs[:, 1]) / (growth[0] - growth[1])
    powers = np.where(np.abs(powers - np.round(powers)) < 0.01, np.round(powers), powers)  # that of the limit
    fit = np.polynomial.chebyshev.chebvander(t, points - 1) * np.where(np.arange(points) > 0, 2, 1) / points
    plan = TablePlan(rule, even, odd, rows @ fit, (logs - np.outer(powers, growth)) @ fit, tuple(powers.tolist()))
    return plan if max(_table_error(layer, plan, k) for k in (0.1, 1.0, 3.0, REFERENCE_VARIANCE)) < WORST else None


def _table_error(layer: AbstractActivation, plan: TablePlan, variance: float) -> float:
    """Of both expectations, relative to those at d = 0: what is left, what the table misses, and what its grid does."""
    k = min(max(variance, SMALLEST), LARGEST)
    at = _coefficients(layer, plan.rule, np.array([k]), plan.even, plan.odd)
    low, high = math.log(SMALLEST), math.log(LARGEST)
    x = (2 * math.log(k) - low - high) / (high - low)
    found = np.polynomial.chebyshev.chebval(x, plan.table.T)
    square, slope_square = np.exp(
        np.polynomial.chebyshev.chebval(x, plan.sizes.T) + np.multiply(plan.powers, math.log1p(k))
    )
    missed = np.sum(np.abs(found[1:] ** 2 - at.completed()[:, 0] ** 2))
    missed += abs(found[0] ** 2 * square / at.square[0] - at.mean[0] ** 2 / at.square[0])
    # those of phi are a grid of their own
    grid = np.linspace(-plan.rule.reach, plan.rule.reach, 2**15)
    density = np.exp(-(grid**2) / 2) / np.sum(np.exp(-(grid**2) / 2))
    (phi, _), (slope, _) = _values(layer, math.sqrt(variance) * grid)
    beyond = max(variance / k, 1)
    with np.errstate(divide="ignore"):  # a slope that falls between two points of the grid
        wrong = abs(square * beyond ** plan.powers[0] / (density @ phi**2) - 1)
        wrong += abs(slope_square * beyond ** (plan.powers[0] - 1) / (density @ slope**2) - 1)
    return float(min(at.left()[0] + missed + wrong, 1) + plan.rule.error)
