r"""Recurrent layers at infinite width: the recursion of a dense network, along equal lags.

$k(t, t') = \sigma_w^2 E[\phi(u_{t-1}) \phi(u'_{t'-1})] + \sigma_b^2 + k^x(t, t')$, where $k^x$ is the kernel of what is
read, and the same for tangent kernels: weights are shared, but what reaches back from an output over different
numbers of steps
is uncorrelated, so only equal numbers of steps meet (Alemohammad et al. 2021, theorem 1). Where a time is masked the
state is 0 and so is what it hands on.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import Recurrent
from ..nets.recurrent import follows
from .kernel import Kernel, Needs, at_sites, check_all_pairs, defect_from_covariance, diagonal, spread
from .linear import apply_weights, scaled
from .propagate import independent_sum, needs, propagate


@propagate.register(Recurrent)
def _(layer: Recurrent, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    read = apply_weights(layer.read, k)
    if read.k11 is None or read.k22 is None or read.d is None:
        raise ValueError("Recurrent needs variances at each time; `needs` of a layer behind it is wrong.")
    v11, v22 = at_sites(read.k11, k.sites), at_sites(read.k22, k.sites)
    same = diagonal(read)
    later1, later2 = (follows(k.sites[0], real).astype(read.k12.dtype) for real in (k.mask1, k.mask2))
    equal = _equal_times(layer, Kernel(v11, same.k12, v22, same.d, same.ntk, k.sites, True), later1, later2)
    states = _all_times(layer, read, equal, later1, later2) if read.pairs else equal
    own = [
        _all_times(layer, _itself(read, v), _itself(equal, u), later, later).k12 if v.ndim == 2 else u
        for v, u, later in ((read.k11, equal.k11, later1), (read.k22, equal.k22, later2))
        if u is not None
    ]
    return propagate(layer.phi, Kernel(own[0], states.k12, own[1], states.d, states.ntk, k.sites, True))


@needs.register(Recurrent)
def _(layer: Recurrent, after: Needs) -> Needs:
    return after | Needs(False, "sites")


def _equal_times(layer: Recurrent, read: Kernel, later1: Array, later2: Array) -> Kernel:
    """What enters the nonlinearity at each time, both inputs at the same time: arrays (times,)."""

    def step(before: Kernel, now: tuple[Kernel, Array, Array]) -> tuple[Kernel, Kernel]:
        heard, goes_on1, goes_on2 = now
        hidden = scaled(apply_weights(layer.hidden, propagate(layer.phi, before)), goes_on1, goes_on2)
        state = independent_sum([heard, hidden])
        return state, state

    heard = Kernel(read.k11, read.k12, read.k22, read.d, read.ntk, (), True)
    first = jax.tree.map(lambda a: a[0], heard)
    states = lax.scan(step, first, (heard, later1, later2))[1]
    return Kernel(states.k11, states.k12, states.k22, states.d, states.ntk, read.sites, True)


def _all_times(layer: Recurrent, read: Kernel, equal: Kernel, later1: Array, later2: Array) -> Kernel:
    """The same at all pairs of times: arrays (times, times), row after row, each from the one before shifted by one."""
    sites = read.sites
    full = read.k12.shape
    heard1, heard2 = (jnp.broadcast_to(v, full) for v in spread(read.k11, read.k22, read))  # type: ignore[arg-type]
    both1, both2 = (jnp.broadcast_to(v, full) for v in spread(equal.k11, equal.k22, read))  # type: ignore[arg-type]

    def step(before: Kernel, now: tuple[Kernel, Array, Array, Array]) -> tuple[Kernel, Kernel]:
        heard, hidden1, hidden2, goes_on = now
        out = apply_weights(layer.hidden, propagate(layer.phi, before))
        k12, d, ntk = (jnp.pad(a[:-1], (1, 0)) * goes_on * later2 for a in (out.k12, out.d, out.ntk))  # type: ignore[index]
        state = independent_sum([heard, Kernel(hidden1, k12, hidden2, d, ntk, sites, True)])
        return state, state

    heard = Kernel(heard1, read.k12, heard2, read.d, read.ntk, sites, True)
    first = Kernel(heard1[0], read.k12[0], heard2[0], read.d[0], read.ntk[0], sites, True)  # type: ignore[index]
    rows = lax.scan(step, first, (heard, both1 - heard1, both2 - heard2, later1))[1]
    return Kernel(equal.k11, rows.k12, equal.k22, rows.d, rows.ntk, sites, True)


def _itself(k: Kernel, v: Array) -> Kernel:
    """One input with itself, from its variances over times, or over pairs of times."""
    if v.ndim == 1:
        return Kernel(v, v, v, jnp.zeros_like(v), v, k.sites, True)
    own = jnp.diagonal(v)
    s1, s2 = (jnp.broadcast_to(s, v.shape) for s in (own[:, None], own[None, :]))
    d = defect_from_covariance(s1, v, s2)
    return Kernel(own, v, own, jnp.where(jnp.eye(len(v), dtype=bool), 0, d), v, k.sites, True)
