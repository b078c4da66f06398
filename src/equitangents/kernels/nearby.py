r"""The angle defect after a nonlinearity, where only its two expectations are known.

At d = 0 it is that of phi(r1 z) and phi(r2 z): half the square of the distance of log k11 and log k22 in the metric
$\partial_1 \partial_2 \log E[\phi(r_1 z) \phi(r_2 z)]$. What d adds is, by Price's theorem, $r_1 r_2 \int_0^d E[\phi'
\phi']$. Both keep their digits for near pairs, where $1 - \cos$ loses them; elsewhere that is what is taken.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..numerics import as_defect, safe_divide, safe_sqrt

Expectations = Callable[[Array, Array, Array], tuple[Array, Array]]


def near_limit(dtype) -> float:
    """Defects and distances of log k below this are found without subtraction: an eighth of a digit's root is lost."""
    return float(jnp.finfo(dtype).eps) ** 0.25


def variance_metric(expectation: Callable[[Array, Array], Array], k: Array) -> Array:
    r"""$\partial_1 \partial_2 \log G$ at $\log k_1 = \log k_2 = \log k$, of $G = E[\phi(r_1 z) \phi(r_2 z)]$.

    Computed for each input on its own; 0 where the variance is 0. For variances of which the powers in third
    derivatives overflow it is taken at the nearest that has them: there it hardly changes any more.
    """
    positive, limits = k > 0, jnp.finfo(k.dtype)
    at = jnp.where(positive, jnp.clip(k, float(limits.tiny) ** (1 / 6), float(limits.max) ** (1 / 6)), 1)

    def log_g(y1: Array, y2: Array) -> Array:
        return jnp.log(jnp.abs(expectation(at * jnp.exp(y1), at * jnp.exp(y2))))

    zero, one = jnp.zeros_like(k), jnp.ones_like(k)
    mixed = jax.jvp(lambda y2: jax.jvp(lambda y1: log_g(y1, y2), (zero,), (one,))[1], (zero,), (one,))[1]
    return jnp.where(positive, jnp.maximum(mixed, 0), 0)


def log_variance(k: Array) -> Array:
    """log k, and that of a tiny variance at 0."""
    return jnp.log(jnp.maximum(k, jnp.finfo(k.dtype).tiny))


def defect_of_variances(metric1: Array, metric2: Array, log1: Array, log2: Array) -> tuple[Array, Array]:
    """The defect at d = 0 of near variances, and where they are near."""
    step = log1 - log2
    near = jnp.abs(step) < near_limit(step.dtype)
    return (metric1 + metric2) / 4 * jnp.where(near, step, 0) ** 2, near


def defect_after(expectations: Expectations, k11: Array, k22: Array, d: Array, smooth: bool = True) -> Array:
    """The angle defect after a nonlinearity of which `expectations(k11, k22, d)` gives E[phi phi] and E[phi' phi'].

    Args:
        expectations: elementwise, in closed form.
        k11, k22, d: variances and defect before, of shapes that broadcast.
        smooth: False where expectations are quadratures, too dear for more of them: then by subtraction.
    """
    size = safe_sqrt(expectations(k11, k11, jnp.zeros_like(k11))[0])
    size = size * safe_sqrt(expectations(k22, k22, jnp.zeros_like(k22))[0])
    far = jnp.where(size > 0, as_defect(1 - safe_divide(expectations(k11, k22, d)[0], size)), 0)
    if not smooth:
        return far
    metric1, metric2 = (variance_metric(lambda a, b: expectations(a, b, jnp.zeros_like(a))[0], k) for k in (k11, k22))
    start, near = defect_of_variances(metric1, metric2, log_variance(k11), log_variance(k22))
    near = near & (d < near_limit(d.dtype)) & (size > 0)
    inside = jnp.where(near, d, 0)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    mean = jnp.zeros_like(far)
    for node, weight in zip(
        ((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True
    ):  # in sqrt(d), as the angle may enter
        mean = mean + 2 * node * weight * expectations(k11, k22, inside * node**2)[1]
    slope = safe_divide(safe_sqrt(k11) * safe_sqrt(k22), size)
    return jnp.where(near, as_defect(start + slope * inside * mean), far)
