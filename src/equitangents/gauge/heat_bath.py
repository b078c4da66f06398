r"""Heat bath for the Wilson action of SU(N), by its SU(2) subgroups.

A link with staples A has the density $\exp(\frac\beta N \operatorname{Re} \operatorname{tr} U A)$. Let k v be the
quaternion part of the block of two rows of U A, with v in SU(2). An element a of the SU(2) of these rows then has the
density $\exp(\frac\beta N \operatorname{Re} \operatorname{tr} a\, k v)$: a v has $\exp(\alpha x_0)$ on the 3-sphere,
with $\alpha = 2 \beta k / N$.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .action import staples
from .algebra import reunitarise, scaled
from .links import Links, check_links, is_special


def heat_bath(key: PRNGKeyArray, links: Links, beta: float | Float[Array, ""]) -> Links:
    """One sweep: every link of every chain of a batch once, even sites and then odd ones in each direction.

    For SU(2) each link is drawn afresh from its density given all others; for SU(N) its subgroups are, in turn.

    Args:
        key: random key.
        links: JAX links of SU(N) on a lattice with even sides; leading axes are independent chains.
        beta: inverse coupling.

    Raises:
        ValueError: another group, an odd side, where neighbours have one parity (`hmc` takes both), or beta < 0.

    References:
        Creutz (1980), Phys. Rev. D 21, 2308; Cabibbo and Marinari (1982), Phys. Lett. B 119, 387; Kennedy and Pendleton
        (1985), Phys. Lett. B 156, 393.
    """
    check_links(links)
    if not is_special(links.group):
        raise ValueError(f"expected links of SU(N), got {links.group}; use hmc.")
    if any(size % 2 for size in links.sites):
        raise ValueError(f"expected a lattice with even sides, got {links.sites}; use hmc.")
    if isinstance(beta, float | int) and beta < 0:
        raise ValueError(f"expected beta of at least 0, got {beta}; use hmc.")
    even = np.indices(links.sites).sum(0) % 2 == 0
    halves = jnp.asarray([even, ~even]).reshape(2, *(1,) * len(links.batch), *links.sites, 1, 1)
    array = jnp.asarray(links.array)
    for mu, one in enumerate(jr.split(key, links.dim)):
        array = _refreshed(one, array, halves, mu, links.group, beta)
    return Links(reunitarise(array, links.group), links.group)


def _refreshed(key: PRNGKeyArray, array: Array, halves: Array, mu: int, group: str, beta: Any) -> Array:
    """New links in direction mu; loops over both halves and over the subgroups keep the program small."""
    n = array.shape[-1]
    pairs = jnp.asarray(list(itertools.combinations(range(n), 2)))

    def half(array, keyed):
        key, chosen = keyed
        links = Links(array, group)
        u, a = links.direction(mu), staples(links, mu)

        def subgroup(u, keyed):
            key, pair = keyed
            rows = u[..., pair, :]
            w = rows @ a[..., :, pair]
            p = (w[..., 0, 0] + w[..., 1, 1].conj()) / 2
            q = (w[..., 0, 1] - w[..., 1, 0].conj()) / 2
            k = jnp.sqrt(jnp.abs(p) ** 2 + jnp.abs(q) ** 2)
            k = jnp.maximum(k, float(jnp.finfo(k.dtype).tiny) ** 0.5)
            x = _quaternion(key, 2 * beta / n * k)
            c, d = _times_adjoint(
                jax.lax.complex(x[0], x[3]), jax.lax.complex(x[2], x[1]), scaled(1 / k, p), scaled(1 / k, q)
            )
            element = jnp.stack([jnp.stack([c, d], -1), jnp.stack([-d.conj(), c.conj()], -1)], -2)
            return u.at[..., pair, :].set(element @ rows), None

        new = jax.lax.scan(subgroup, u, (jr.split(key, len(pairs)), pairs))[0]
        return array.at[..., mu, :, :].set(jnp.where(chosen, new, u)), None

    return jax.lax.scan(half, array, (jr.split(key, 2), halves))[0]


def _times_adjoint(a: Array, b: Array, p: Array, q: Array) -> tuple[Array, Array]:
    """The first row of (a, b; -b*, a*) (p, q; -q*, p*)^+."""
    return a * p.conj() + b * q.conj(), b * p - a * q


def _quaternion(key: PRNGKeyArray, alpha: Array) -> tuple[Array, Array, Array, Array]:
    r"""Unit vectors x in 4 dimensions with the density $e^{\alpha x_0}$."""
    first, rest = jr.split(key)
    x0 = first_component(first, alpha)
    z, turn = jr.uniform(rest, (2, *alpha.shape), alpha.dtype)
    z, turn = 2 * z - 1, 2 * jnp.pi * turn
    r, s = jnp.sqrt(jnp.maximum(1 - x0**2, 0)), jnp.sqrt(1 - z**2)
    return x0, r * s * jnp.cos(turn), r * s * jnp.sin(turn), r * z


def first_component(key: PRNGKeyArray, alpha: Array) -> Array:
    r"""$x_0 \in [-1, 1]$ with the density $\sqrt{1 - x_0^2}\, e^{\alpha x_0}$, by rejection until all are accepted.

    Proposals: below $\alpha = 2$ the exponential alone (Creutz), above that of Kennedy and Pendleton; each is accepted
    in more than half of all cases there.
    """
    alpha = jnp.maximum(alpha, jnp.finfo(alpha.dtype).eps)

    def propose(state):
        key, x0, done = state
        key, one = jr.split(key)
        r = 1 - jr.uniform(one, (4, *alpha.shape), alpha.dtype)  # in (0, 1]
        creutz = 1 + jnp.log1p(r[0] * jnp.expm1(-2 * alpha)) / alpha
        delta = -(jnp.log(r[0]) + jnp.cos(2 * jnp.pi * r[1]) ** 2 * jnp.log(r[2])) / alpha
        small = alpha < 2
        proposal = jnp.where(small, creutz, 1 - delta)
        accept = r[3] ** 2 <= jnp.where(small, 1 - creutz**2, 1 - delta / 2)
        return key, jnp.where(done, x0, proposal), done | accept

    start = key, 0 * alpha, ~jnp.isfinite(alpha)  # nan stays nan and is not waited for
    return jax.lax.while_loop(lambda state: ~jnp.all(state[2]), propose, start)[1]
