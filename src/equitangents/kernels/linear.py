"""What every linear layer does to a kernel: averages over sites, then weights and biases."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractWeighted
from ..nets.base import is_known
from ..numerics import affine_defect, materialise
from ..numerics.doubled import Doubled, add, doubled, finite, multiply, with_low, with_slope_of
from .kernel import (
    Kernel,
    at_sites,
    check_all_pairs,
    defect_from_covariance,
    defect_from_distance,
    half_distance,
    spread,
)

Move = Callable[[Array, bool], Array]


def apply_weights(layer: AbstractWeighted, k: Kernel) -> Kernel:
    """Weights and biases at each site: k' = sigma_w^2 k + sigma_b^2, ntk' = lambda_w k12 + lambda_b + sigma_w^2 ntk."""
    dtype = k.k12.dtype
    w, b = jnp.asarray(layer.sigma_w**2, dtype), jnp.asarray(layer.sigma_b**2, dtype)
    rate_w, rate_b = jnp.asarray(layer.rate_w, dtype), jnp.asarray(layer.rate_b, dtype)
    k12, ntk = w * k.k12 + b, rate_w * k.k12 + rate_b + w * k.ntk
    if k.k11 is None or k.k22 is None:
        return Kernel(None, k12, None, None, ntk, k.sites, True)
    unbiased = is_known(layer.sigma_b) and layer.sigma_b == 0  # angles stay
    d = k.d if k.d is None or unbiased else affine_defect(*spread(k.k11, k.k22, k), k.d, w, b)
    (k11, low11), (k22, low22) = (_weighted(layer, *own, w, b) for own in ((k.k11, k.low11), (k.k22, k.low22)))
    return Kernel(k11, k12, k22, d, ntk, k.sites, True, low11=low11, low22=low22)


def _weighted(layer: AbstractWeighted, k: Array, low: Array | None, w: Array, b: Array) -> tuple[Array, Array | None]:
    """Variances after weights and biases, and what rounding took from them if it was known before."""
    plain = w * k + b
    if low is None:
        return plain, None
    exact = _affine(*(doubled(lax.stop_gradient(s)) for s in (layer.sigma_w, layer.sigma_b)), with_low(k, low))
    return with_slope_of(plain, exact.high), exact.low


@jax.jit  # traced once
def _affine(sigma_w: Doubled, sigma_b: Doubled, k: Doubled) -> Doubled:
    """sigma_w^2 k + sigma_b^2."""
    high, low = add(multiply(multiply(sigma_w, sigma_w), k), multiply(sigma_b, sigma_b))
    return Doubled(high, finite(low))


def joint_average(
    k: Kernel,
    pad: Move,
    mean: Move,
    padded: tuple[int, ...],
    sites: tuple[int, ...],
    alone: Callable[[Array, Array], Array] | None = None,
) -> Kernel:
    """Average over a window that moves on both inputs together, as in a convolution or a flattening.

    Args:
        k: before.
        pad: `pad(array, pairs)` adds a margin to an array over sites, or over pairs of sites.
        mean: `mean(array, pairs)` is the average, from arrays over padded sites to arrays over the new sites.
        padded: shape of the padded sites.
        sites: shape of the new sites.
        alone: where `mean` reads zeros beyond the border, `alone(v11, v22)` of variances over padded sites is the mean
            over windows of the variance of one site where the other is such a zero, over pairs of new sites. None
            where all windows read the same offsets.

    Raises:
        ValueError: of all pairs of sites only one row is held.
    """
    check_all_pairs("An average over sites", k)
    ntk = mean(pad(k.ntk, k.pairs), k.pairs)
    if k.k11 is None or k.k22 is None or k.d is None:
        return Kernel(None, mean(pad(k.k12, k.pairs), k.pairs), None, None, ntk, sites, k.gaussian)
    full1, full2 = (bool(k.sites) and v.ndim == 2 * len(k.sites) for v in (k.k11, k.k22))
    g1, g2 = _scale(k.k11, k.sites), _scale(k.k22, k.sites)  # of one size, the two inputs lose no digits
    p11, p22 = pad(k.k11 / g1, full1), pad(k.k22 / g2, full2)
    k11, k22 = mean(p11, full1), mean(p22, full2)
    if k.pairs:
        k11, k22 = materialise((k11, k22))
    before = Kernel(None, pad(k.d, k.pairs), None, None, ntk, padded)  # its k12 only tells shapes
    apart = mean(half_distance(*spread(p11, p22, before), before.k12), k.pairs)
    if alone is not None and k.pairs:  # of two sites, one of which is a zero, half the variance of the other
        apart = apart + alone(at_sites(p11, padded), at_sites(p22, padded)) / 2
    after = Kernel(None, apart, None, None, ntk, sites)
    s11, s22 = spread(k11, k22, after)
    d = defect_from_distance(s11, s22, apart)
    k12 = ((s11 + s22) / 2 - apart) * jnp.sqrt(g1) * jnp.sqrt(g2)
    return Kernel(k11 * g1, k12, k22 * g2, d, ntk, sites, k.gaussian)


def _scale(v: Array, sites: tuple[int, ...]) -> Array:
    """The largest variance over the sites, 1 if all are zero; a constant for derivatives."""
    largest = jnp.max(at_sites(v, sites))
    return lax.stop_gradient(jnp.where(largest > 0, largest, 1))


def scaled(k: Kernel, c1: Array | float, c2: Array | float) -> Kernel:
    """The kernel of c x: each input times positive numbers of its own, one for all or one for each site."""
    c1, c2 = (jnp.broadcast_to(jnp.asarray(c, k.k12.dtype), k.sites) for c in (c1, c2))
    s1, s2 = spread(c1, c2, k)

    def own(v: Array | None, c: Array) -> Array | None:
        if v is None:
            return None
        left, right = spread(c, c, Kernel(None, v, None, None, v, k.sites))
        return v * left * right

    return Kernel(own(k.k11, c1), k.k12 * s1 * s2, own(k.k22, c2), k.d, k.ntk * s1 * s2, k.sites, k.gaussian)


def zeroed(k: Kernel, mask1: Array, mask2: Array) -> Kernel:
    """The kernel without masked sites: no variance, covariance or angle there."""
    out = scaled(k, mask1, mask2)
    s1, s2 = spread(mask1, mask2, k)
    d = None if k.d is None else k.d * s1 * s2
    return Kernel(out.k11, out.k12, out.k22, d, out.ntk, k.sites, k.gaussian)


def global_average(k: Kernel) -> Kernel:
    """Average over all sites of each input on its own: `independent_average` with one window, the whole."""

    def mean(array: Array) -> Array:
        return mean_of_all(materialise(array))  # what led to it would be computed as one long row: three times slower

    return independent_average(k, mean, lambda array: mean_of_all(at_sites(array, k.sites)), ())


def mean_of_all(array: Array) -> Array:
    """The mean over all entries, as a product with ones: many times faster than XLA's sum over last axes on a CPU."""
    return jnp.matmul(array.reshape(-1), jnp.ones(array.size, array.dtype), precision="highest") / array.size


def independent_average(
    k: Kernel,
    mean: Callable[[Array], Array],
    together: Callable[[Array], Array],
    sites: tuple[int, ...],
    one_row: bool = False,
) -> Kernel:
    """Average over windows of sites of each input on its own, as in a pool.

    The defect comes from a subtraction, which loses digits where the averages nearly coincide. There the mean distance
    of the sites that were averaged, which no distance of averages exceeds, bounds it: equal inputs keep a defect of 0.

    Args:
        k: before, with pairs of sites.
        mean: the average of an array over pairs of sites, to one over pairs of the new sites.
        together: the same with both windows read at one offset, as a convolution does.
        sites: shape of the new sites.
        one_row: whether `mean` and `together` also know kernels of which only one row is held, see `Kernel`.

    Raises:
        ValueError: covariances between different sites are not held, or one row of them only.
    """
    if not one_row:
        check_all_pairs("An average over sites", k)
    if k.sites and not k.pairs:
        raise ValueError("a pool expected covariances between different sites; `needs` of a layer before it is wrong.")
    k12, ntk = mean(k.k12), mean(k.ntk)
    kept = [v is not None and (not k.sites or v.ndim == 2 * len(k.sites)) for v in (k.k11, k.k22)]
    if not all(kept):
        return Kernel(None, k12, None, None, ntk, sites, k.gaussian)
    k11, k22 = mean(k.k11), mean(k.k22)  # type: ignore[arg-type]
    s11, s22 = spread(k11, k22, Kernel(k11, k12, k22, None, ntk, sites))
    d = defect_from_covariance(s11, k12, s22)
    if k.d is not None:
        apart = together(half_distance(*spread(k.k11, k.k22, k), k.d))  # type: ignore[arg-type]
        d = jnp.minimum(d, defect_from_distance(s11, s22, apart))
    return Kernel(k11, k12, k22, d, ntk, sites, k.gaussian)
