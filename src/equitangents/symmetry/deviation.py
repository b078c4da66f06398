r"""How far the mean of M networks is from that of infinitely many, and how many members are enough.

Members are independent with variance v, so their mean deviates with standard deviation $s = \sqrt{v / M}$.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.checks import concrete
from .checks import check_count


class Deviation(NamedTuple):
    """One quantity by three laws of the members, from the sharpest.

    Attributes:
        exact: for Gaussian members, the quantile of the error function.
        bound: for Gaussian members, by Lemma B.4, which is a little larger.
        any_law: for members of any law with this variance, by Chebyshev's inequality; much larger.
    """

    exact: Array | np.ndarray
    bound: Array | np.ndarray
    any_law: Array | np.ndarray


def ensemble_deviation_bound(
    variance: ArrayLike, members: int, confidence: float | int, *, numbers: int = 1
) -> Deviation:
    r"""The $\delta$ with $P(|\hat f - f| \le \delta) \ge$ confidence, $\hat f$ the mean of M networks, f that of all.

    With $s = \sqrt{v / M}$ and failure $p = 1 -$ confidence: Lemma B.4 of Gerken and Kessel bounds
    $P(|\hat f - f| > \delta) = \mathrm{erfc}(\delta / s \sqrt2)$ by
    $\sqrt{2/\pi}\, (s / \delta)\, e^{-\delta^2 / 2 s^2}$, so $\delta = s \sqrt{W_0(2 / \pi p^2)}$ with Lambert's W; the
    exact one is $s \sqrt2\, \mathrm{erfc}^{-1}(p)$, and Chebyshev's $s / \sqrt p$.

    Assumes independent members. `exact` and `bound` take them as Gaussian, as they are at infinite width under squared
    loss; at finite width only `any_law` is proved, with v that of such networks. After training on full orbits f is
    equivariant, so $\delta$ bounds the violation; for differences $\hat f(\rho(g) x) - \hat f(x)$ give their own
    variance, `gap_variance`.

    With `numbers` > 1, all of so many numbers (outputs, inputs, elements of the group) are within $\delta$ at once,
    however they depend on each other: `exact` by Sidak's inequality, which is an equality where they are independent;
    the other two by the union bound. Their variances may differ: each has its $\delta$.

    Args:
        variance: v of one network, not negative, shape (*items); one entry of `flow.covariance`, or `gap_variance`.
        members: M.
        confidence: between 0 and 1.
        numbers: how many numbers are bounded together.

    Returns:
        Three $\delta$ of shape (*items), in the units of the output.

    Raises:
        ValueError: numbers out of range.
        TypeError: `members` or `numbers` is no integer.

    References:
        Gerken and Kessel (2024), arXiv:2403.03103, Lemma B.4.

    >>> [round(float(d), 3) for d in ensemble_deviation_bound(4.0, 100, 0.95)]
    [0.392, 0.406, 0.894]
    """
    check_count("members", members)
    scales = _scales(confidence, numbers)
    s = jnp.sqrt(_check_variance(variance) / members)
    return Deviation(*(z * s for z in scales))


def members_for(variance: ArrayLike, deviation: float | int, confidence: float | int, *, numbers: int = 1) -> Deviation:
    r"""The smallest M whose mean is within `deviation` of the infinite ensemble with this confidence.

    $M = \lceil z^2 v / \delta^2 \rceil$ with z the three quantiles of `ensemble_deviation_bound`, whose inverse it is;
    assumptions are the same.

    Args:
        variance: v of one network, shape (*items); known numbers, not traced.
        deviation: $\delta$, above 0, in the units of the output.
        confidence, numbers: as for `ensemble_deviation_bound`.

    Returns:
        Three M of shape (*items), whole numbers at least 1, as NumPy arrays.

    Raises:
        ValueError: numbers out of range.
        TypeError: `numbers` is no integer.

    >>> [int(m) for m in members_for(4.0, 0.392, 0.95)]
    [100, 108, 521]
    """
    _check_deviation(deviation)
    scales = _scales(confidence, numbers)
    v = np.asarray(_check_variance(variance), float)
    # a deviation that is that of M members to the last digit asks for M, not for one more
    counts = (np.maximum(np.ceil(z**2 * v / deviation**2 * (1 - 4e-16)), 1) for z in scales)
    return Deviation(*(count.astype(np.int64) for count in counts))


def deviation_probability(variance: ArrayLike, members: int, deviation: ArrayLike) -> Deviation:
    r"""$P(|\hat f - f| > \delta)$ for the mean of M networks: exact, by Lemma B.4, and by Chebyshev; at most 1.

    Args:
        variance: v of one network, shape (*items).
        members: M.
        deviation: $\delta$, above 0, finite, of a shape that broadcasts.

    Returns:
        Three probabilities of the shape that `variance` and `deviation` broadcast to.

    Raises:
        ValueError: numbers out of range; arrays that are traced are not looked at.
        TypeError: `members` is no integer.

    >>> [round(float(p), 4) for p in deviation_probability(1.0, 1, 2.0)]
    [0.0455, 0.054, 0.25]
    """
    check_count("members", members)
    _check_deviation(deviation)
    z = jnp.asarray(deviation) / jnp.sqrt(_check_variance(variance) / members)
    exact = jax.scipy.special.erfc(z / math.sqrt(2))
    bound = math.sqrt(2 / math.pi) / z * jnp.exp(-(z**2) / 2)
    return Deviation(exact, *(jnp.minimum(p, 1.0) for p in (bound, z**-2.0)))


def gap_variance(covariance_on_orbit: ArrayLike, identity: int = 0) -> Float[Array, "*items order"]:
    r"""$\Sigma_{gg} + \Sigma_{ee} - 2 \Sigma_{ge}$: the variance over networks of $f(\rho(g) x) - f(x)$, for each g.

    Args:
        covariance_on_orbit: shape (*items, |G|, |G|), from `orbit_covariance`.
        identity: where the unmoved examples are.

    Returns:
        Shape (*items, |G|), at least 0; 0 at the identity.

    >>> gap_variance(jnp.eye(3)).tolist()
    [0.0, 2.0, 2.0]
    """
    sigma = jnp.asarray(covariance_on_orbit)
    if sigma.ndim < 2 or sigma.shape[-1] != sigma.shape[-2] or not 0 <= identity < sigma.shape[-1]:
        raise ValueError(
            f"expected covariances over orbits, shape (..., |G|, |G|), and an identity among the elements; "
            f"got {sigma.shape} and {identity}; use orbit_covariance."
        )
    own = jnp.diagonal(sigma, axis1=-2, axis2=-1)
    return jnp.maximum(own + own[..., identity, None] - 2 * sigma[..., identity], 0)


def _scales(confidence: float | int, numbers: int) -> tuple[float, float, float]:
    """Deviations in units of s: exact, by Lemma B.4, by Chebyshev."""
    check_count("numbers", numbers)
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, both excluded; got {confidence}; take 0.95.")
    failure = 1 - confidence
    one = -math.expm1(math.log1p(-failure) / numbers)  # Sidak: (1 - one)**numbers = confidence
    share = failure / numbers
    bound = math.sqrt(scipy.special.lambertw(2 / (math.pi * share**2)).real)
    return math.sqrt(2) * float(scipy.special.erfcinv(one)), bound, 1 / math.sqrt(share)


def _check_deviation(deviation: ArrayLike) -> None:
    known = concrete(deviation)
    if known is not None and not ((known > 0) & (known < math.inf)).all():
        raise ValueError(f"expected a deviation above 0, finite; got {deviation}; equality needs infinitely many.")


def _check_variance(variance: ArrayLike) -> Array:
    variance = jnp.asarray(variance)
    known = concrete(variance)
    if known is not None and not ((known >= 0) & np.isfinite(known)).all():
        raise ValueError(
            f"expected variances from 0, finite; got {known.min()} among them; take them from a covariance."
        )
    return variance.astype(jnp.result_type(float)) if variance.dtype.kind in "iub" else variance
