r"""Hybrid Monte Carlo for the Wilson action, any U(N) or SU(N).

$$H = \tfrac12 \sum \operatorname{tr} P^\dagger P + S(U), \qquad \dot U = P U, \quad \dot P = -\nabla S$$

Leapfrog steps keep volume and are reversible, and H up to the second order of their size, so that accepting with
$\min(1, e^{-\Delta H})$ samples $e^{-S}$ exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Complex, Float, PRNGKeyArray

from .action import force, wilson_action
from .algebra import exponential, random_algebra, reunitarise, scaled
from .links import Links, check_links

Momenta = Complex[Array, "..."]


class HMCStep(NamedTuple):
    """The next links of the chain; the change of H along the trajectory and whether its end was taken, shape batch."""

    links: Links
    delta_h: Float[Array, "*batch"]
    accepted: Bool[Array, "*batch"]


def energy(links: Links, momenta: Momenta, beta: float | Float[Array, ""]) -> Float[Array, "*batch"]:
    """H of each field of a batch."""
    kinetic = jnp.sum(jnp.abs(momenta) ** 2, axis=tuple(range(-3 - links.dim, 0))) / 2
    return kinetic + wilson_action(links, beta)


def leapfrog(
    links: Links, momenta: Momenta, beta: float | Float[Array, ""], step_size: float | Float[Array, ""], steps: int
) -> tuple[Links, Momenta]:
    """Follows the equations of motion for the time steps * step_size, with an error of order step_size^2.

    Args:
        links: JAX links.
        momenta: in the Lie algebra, the shape of `links.array`.
        beta: inverse coupling.
        step_size: of one step.
        steps: their number, at least 1.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}.")

    def kick(array, p, size):
        return p + scaled(size, force(Links(array, links.group), beta))

    def step(_, state):
        array, p = state
        p = kick(array, p, step_size / 2)
        array = exponential(scaled(step_size, p)) @ array
        return array, kick(array, p, step_size / 2)

    array, momenta = jax.lax.fori_loop(0, steps, step, (links.array, momenta))
    return Links(array, links.group), momenta


def hmc(
    key: PRNGKeyArray, links: Links, beta: float | Float[Array, ""], step_size: float | Float[Array, ""], steps: int
) -> HMCStep:
    """One trajectory with fresh momenta, accepted or not, of each chain of a batch.

    Args:
        key: random key.
        links: JAX links; leading axes are independent chains.
        beta: inverse coupling of the Wilson action.
        step_size, steps: of the leapfrog; their product is best near 1, for 70 to 90 % accepted.

    References:
        Duane, Kennedy, Pendleton and Roweth (1987), Phys. Lett. B 195, 216.
    """
    check_links(links)
    links = Links(jnp.asarray(links.array), links.group)
    p_key, key = jr.split(key)
    momenta = random_algebra(p_key, links.group, links.array.shape, links.array.dtype)
    end, p = leapfrog(links, momenta, beta, step_size, steps)
    delta_h = energy(end, p, beta) - energy(links, momenta, beta)
    accepted = jnp.log(jr.uniform(key, links.batch, delta_h.dtype)) < -delta_h
    chosen = jnp.where(accepted.reshape(*links.batch, *(1,) * (links.dim + 3)), end.array, links.array)
    return HMCStep(Links(reunitarise(chosen, links.group), links.group), delta_h, accepted)
