r"""Gaussian expectations by quadrature, in one and two dimensions, singular covariances included.

Smooth integrands: the trapezoidal rule in the standardised variable, which converges exponentially for a function that
is analytic in a strip around the real axis. Gauss-Hermite spreads its nodes over many more deviations and loses: for
tanh at variance 10 its error with about 100 nodes is 4e-3, that of the trapezoidal rule 1e-7. Integrands with kinks:
Gauss-Legendre between them. Nodes are summed by scans, so memory is a few times that of the result.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from .safe import _to_array, as_defect, safe_divide, safe_sqrt

Function = Callable[[Array], Array]

NODES = 96  # trapezoidal: error 1e-7 for E[phi' phi'] of tanh at variance 10, the worst; 1e-8 for the others
KINK_NODES = 28  # Gauss-Legendre, in each interval between kinks: error 1e-10 for ReLU and ELU
_RANGE = 7.0  # deviations kept on each side where there are kinks
_LAYER = 6.5  # deviations kept on each side of a kink seen through the other variable


def gauss_hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes z and weights w, of shape (nodes,), with $E f(z) \approx \sum_i w_i f(z_i)$ for $z \sim N(0, 1)$.

    Exact for polynomials of degree below 2 nodes.

    >>> z, w = gauss_hermite(3)
    >>> round(float(w @ z**4), 12)
    3.0
    """
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return z, w / w.sum()


def trapezoidal(nodes: int, stretch: float = 1.4) -> tuple[np.ndarray, np.ndarray]:
    r"""Equally spaced nodes z and weights w, of shape (nodes,): $E f(z) \approx \sum_i w_i f(z_i)$, $z \sim N(0, 1)$.

    The range L = stretch $n^{1/3}$ balances what is cut off, $e^{-L^2/2}$, with aliasing, $e^{-\pi a n / L}$ for a
    strip of half width a, if stretch is $(2 \pi a)^{1/3}$, 1.4 for a = 1/2; see Trefethen and Weideman (2014).

    >>> z, w = trapezoidal(112)
    >>> round(float(w @ z**4), 6)
    3.0
    """
    limit = stretch * nodes ** (1 / 3)
    z = np.linspace(-limit, limit, nodes)
    w = np.exp(-(z**2) / 2)
    return z, w / w.sum()


def _scan_sum(term: Callable, xs):
    """Sum of `term` over the leading axis of the leaves of xs, one at a time."""
    first = jax.tree.map(lambda leaf: leaf[0], xs)
    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(term, first))
    return jax.lax.scan(lambda total, x: (jax.tree.map(jnp.add, total, term(x)), None), start, xs)[0]


def _between(term: Callable, splits: list[Array], nodes: int):
    """Integral of `term` times the standard normal density, by Gauss-Legendre between the splits (each an array)."""
    edges = jnp.sort(jnp.clip(jnp.stack([*splits, splits[0] * 0 - _RANGE, splits[0] * 0 + _RANGE]), -_RANGE, _RANGE), 0)
    t, w = (jnp.asarray(a, edges.dtype) for a in np.polynomial.legendre.leggauss(nodes))

    def interval(ends):
        middle, half = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2

        def point(node):
            x = middle + half * node[0]
            weight = node[1] * half * jnp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
            return jax.tree.map(lambda value: weight * value, term(x))

        return _scan_sum(point, (t, w))

    return _scan_sum(interval, (edges[:-1], edges[1:]))


def _deviation(k: Array) -> Array:
    """Square root, but tiny where k is 0: a kink at 0 is then seen from both sides, as for k just above 0."""
    return jnp.maximum(safe_sqrt(k), 1e-18)


def _smooth(integrand: Callable, k11: Array, k22: Array, d: Array, nodes: int):
    """E of integrand(u, v) with u = r1 (cos a z1 + sin a z2), v = r2 (cos a z1 - sin a z2), sin a = sqrt(d/2)."""
    r1, r2 = _deviation(k11), _deviation(k22)
    sine, cosine = safe_sqrt(d / 2), safe_sqrt(1 - d / 2)
    rule = tuple(jnp.asarray(a, k11.dtype) for a in trapezoidal(nodes))

    def outer(node2):
        def inner(node1):
            a, b = cosine * node1[0], sine * node2[0]
            return jax.tree.map(lambda value: node1[1] * value, integrand(r1 * (a + b), r2 * (a - b)))

        return jax.tree.map(lambda value: node2[1] * value, _scan_sum(inner, rule))

    return _scan_sum(outer, rule)


def _kinked(integrand: Callable, k11: Array, k22: Array, d: Array, kinks: Sequence[float], nodes: int):
    """E of integrand(u, v), kinked in u and in v, with u = r1 x, v = r2 (rho x + tau y).

    The mean over y is smooth in x except in a layer of width tau / rho where the mean of v crosses a kink.
    """
    r1, r2 = _deviation(k11), _deviation(k22)
    rho, tau = 1 - d, safe_sqrt(d * (2 - d))
    width = _LAYER * safe_divide(tau, jnp.abs(rho))
    splits = []
    for c in kinks:
        crossing = safe_divide(c / r2, rho)
        splits += [c / r1, crossing - width, crossing, crossing + width]

    def outer(x):
        inner_splits = [safe_divide(c / r2 - rho * x, tau) for c in kinks]
        return _between(lambda y: integrand(r1 * x, r2 * (rho * x + tau * y)), inner_splits, nodes)

    return _between(outer, splits, nodes)


def _expect(integrand: Callable, k11: Array, k22: Array, d: Array, kinks: Sequence[float], nodes: int):
    d = as_defect(d)
    return _kinked(integrand, k11, k22, d, kinks, nodes) if kinks else _smooth(integrand, k11, k22, d, nodes)


def _default_nodes(nodes: int | None, kinks: Sequence[float]) -> int:
    if nodes is None:
        return KINK_NODES if kinks else NODES
    if nodes < 2:
        raise ValueError(f"expected at least 2 nodes; got nodes={nodes}. Leave it out for the default.")
    return nodes


def expectation_1d(f: Function, k: ArrayLike, kinks: Sequence[float] = (), nodes: int | None = None) -> Array:
    r"""$E f(u)$ for $u \sim N(0, k)$.

    Args:
        f: elementwise function of arrays.
        k: variances, any shape, not negative.
        kinks: the u where f or a derivative of it jumps.
        nodes: of the trapezoidal rule; with kinks, of Gauss-Legendre in each interval between them.

    Returns:
        The expectations, of the shape of k.

    >>> round(float(expectation_1d(lambda u: u**2, 3.0)), 4)
    3.0
    """
    nodes, kinks = _default_nodes(nodes, kinks), tuple(kinks)
    r = _deviation(_to_array(k))
    if kinks:
        return _between(lambda x: f(r * x), [c / r for c in kinks], nodes)
    rule = tuple(jnp.asarray(a, r.dtype) for a in trapezoidal(nodes))
    return _scan_sum(lambda node: node[1] * f(r * node[0]), rule)


def expectation_2d(
    f: Function,
    g: Function,
    k11: ArrayLike,
    k22: ArrayLike,
    d: ArrayLike,
    kinks: Sequence[float] = (),
    nodes: int | None = None,
) -> Array:
    r"""$E f(u) g(v)$ for centred Gaussian $(u, v)$ with variances $k_{11}, k_{22}$ and angle defect d.

    The covariance is $(1 - d) \sqrt{k_{11} k_{22}}$; it may be singular (d = 0, d = 2, a variance of 0).

    Args:
        f, g: elementwise functions of arrays.
        k11, k22, d: any shapes that broadcast; variances not negative, d clipped to [0, 2].
        kinks: the u where f, or the v where g, or a derivative of it jumps.
        nodes: in each dimension; with kinks, in each interval between them.

    Returns:
        The expectations, of the common shape.

    >>> round(float(expectation_2d(jnp.sin, jnp.sin, 1.0, 1.0, 0.0)), 4)  # (1 - exp(-2)) / 2
    0.4323
    """
    k11, k22, d = jnp.broadcast_arrays(_to_array(k11), _to_array(k22), _to_array(d))
    return _expect(lambda u, v: f(u) * g(v), k11, k22, d, tuple(kinks), _default_nodes(nodes, kinks))


def derivatives(phi: Function, order: int) -> Callable[[Array], tuple[Array, ...]]:
    """The function x -> (phi, phi', ..., phi^(order)) at x, elementwise."""

    def upto(x: Array) -> tuple[Array, ...]:
        if order == 0:
            return (phi(x),)
        lower = derivatives(phi, order - 1)
        values, tangents = jax.jvp(lower, (x,), (jnp.ones_like(x),))
        return (*values, tangents[-1])

    return upto


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _dual(phi: Callable, kinks: tuple[float, ...], nodes: int, k11: Array, k22: Array, d: Array, consts: list[Array]):
    """E[phi phi] and E[phi' phi'], in one pass; `consts` are the numbers of phi that may be differentiated."""
    return _values(phi, kinks, nodes, k11, k22, d, consts)


def _closed(phi: Callable, consts: list[Array]) -> Function:
    return lambda x: phi(x, *consts)


def _values(phi: Callable, kinks: tuple[float, ...], nodes: int, k11: Array, k22: Array, d: Array, consts: list[Array]):
    both = derivatives(_closed(phi, consts), 1)
    return _expect(lambda u, v: tuple(a * b for a, b in zip(both(u), both(v), strict=True)), k11, k22, d, kinks, nodes)


@_dual.defjvp
def _(phi, kinks, nodes, primals, tangents):
    k11, k22, d, consts = primals
    e, e_prime = _dual(phi, kinks, nodes, *primals)
    of_consts = jax.jvp(lambda c: _values(phi, kinks, nodes, k11, k22, d, c), (consts,), (tangents[3],))[1]
    phi, primals, tangents = _closed(phi, consts), primals[:3], tangents[:3]

    upto2 = derivatives(phi, 2)

    def integrand(u, v):
        (f, f1, f2), (g, g1, g2) = upto2(u), upto2(v)
        return (u * f1 * g, f * v * g1), (u * f2 * g1, f1 * v * g2), f2 * g2

    first, second, e_second = _expect(integrand, k11, k22, d, kinks, nodes)
    value = functools.partial(_tangent, phi, kinks, nodes, primals, tangents)
    tangent = value(0, first, e_prime)
    if not kinks:
        return (e, e_prime), (tangent + of_consts[0], value(1, second, e_second) + of_consts[1])
    # phi'' may hold delta functions, unseen by quadrature: differentiate the rule, whose nodes move with the kinks
    slope = derivatives(phi, 1)

    def plain(k11, k22, d):
        return _expect(lambda u, v: slope(u)[1] * slope(v)[1], k11, k22, d, kinks, nodes)

    return (e, e_prime), (tangent + of_consts[0], jax.jvp(plain, primals, tangents)[1] + of_consts[1])


def _tangent(phi, kinks, nodes, primals, tangents, order, scaled, e_next):
    r"""Tangent of $e = E[f(u) f(v)]$, f the derivative of phi of that order: $de/dk_{12} = E[f' f']$.

    At fixed d, $de/dk_{11} = E[u f'(u) f(v)] / (2 k_{11})$, or $f''(0) E[f(v)] / 2$ where $k_{11} = k_{12} = 0$.
    """
    k11, k22, d = primals
    curvature = derivatives(phi, order + 2)(jnp.zeros_like(k11))[-1]
    total = -safe_sqrt(k11) * safe_sqrt(k22) * e_next * tangents[2]
    for k, other, moment, dk in ((k11, k22, scaled[0], tangents[0]), (k22, k11, scaled[1], tangents[1])):
        mean = expectation_1d(lambda x: derivatives(phi, order)(x)[-1], other, kinks, nodes)
        both_zero = jnp.where(other > 0, 0, (1 - d) * e_next)
        total += jnp.where(k > 0, safe_divide(moment, k), curvature * mean + both_zero) / 2 * dk
    return total


def dual_by_quadrature(
    phi: Function,
    k11: ArrayLike,
    k22: ArrayLike,
    d: ArrayLike,
    kinks: Sequence[float] = (),
    nodes: int | None = None,
) -> tuple[Array, Array]:
    r"""$E[\phi(u)\phi(v)]$ and $E[\phi'(u)\phi'(v)]$ for centred Gaussian (u, v), variances k11, k22, angle defect d.

    The first derivatives are finite and, for smooth phi, right everywhere: by Price's theorem
    $de/dd = -\sqrt{k_{11} k_{22}} E[\phi'\phi']$. With kinks those of the second expectation are 0 at d = 0 and d = 2,
    where they may not exist. A zero variance is read as the limit from above, with $k_{12} = 0$ for the derivative.

    Args:
        phi: elementwise function of arrays, differentiable by JAX three times away from its kinks; it may be closed
            over values that are themselves differentiated.
        k11, k22, d: any shapes that broadcast; variances not negative, d clipped to [0, 2].
        kinks: where phi or a derivative of it jumps.
        nodes: in each dimension; with kinks, in each interval between them.

    Returns:
        The two expectations, of the common shape.

    References:
        Price (1958), IRE Transactions on Information Theory 4, 69.

    >>> e, e_prime = dual_by_quadrature(jax.nn.relu, 1.0, 1.0, 1.0, kinks=(0.0,))
    >>> round(float(e), 4), round(float(e_prime), 4)  # 1 / (2 pi) and 1 / 4
    (0.1592, 0.25)
    """
    k11, k22, d = jnp.broadcast_arrays(_to_array(k11), _to_array(k22), _to_array(d))
    phi, consts = jax.closure_convert(phi, k11)
    return _dual(phi, tuple(kinks), _default_nodes(nodes, kinks), k11, k22, d, consts)


def quadrature_error(
    phi: Function, kinks: Sequence[float] = (), variance: float = 1.0, nodes: int | None = None
) -> float:
    """Estimated error of `dual_by_quadrature`, by doubling the nodes, relative to max(1, |value|).

    The largest of both expectations over d = 0, 0.01, 0.5, 1, 1.5 and 2, at equal variances, in the default precision.
    Not inside `jit`.

    >>> quadrature_error(jnp.tanh) < 1e-5
    True
    """
    nodes = _default_nodes(nodes, kinks)
    d = jnp.array([0.0, 0.01, 0.5, 1.0, 1.5, 2.0])
    k = jnp.full_like(d, variance)
    coarse, fine = (jax.jit(lambda m=m: dual_by_quadrature(phi, k, k, d, kinks, m))() for m in (nodes, 2 * nodes))
    worst = [jnp.max(jnp.abs(a - b) / jnp.maximum(1, jnp.abs(b))) for a, b in zip(coarse, fine, strict=True)]
    return float(max(worst))
