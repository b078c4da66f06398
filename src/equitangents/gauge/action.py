r"""The Wilson action and its force.

$$S = \beta \sum_{x,\, \mu < \nu} \left(1 - \tfrac1N \operatorname{Re} \operatorname{tr} W_{\mu\nu}(x)\right)$$
"""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from .algebra import algebra_part, scaled
from .links import Field, Links, check_direction, check_links, shift, stacked
from .loops import plaquettes, wilson_line


def average_plaquette(links: Links) -> Float[Array, "*batch"]:
    r"""The mean of $\frac1N \operatorname{Re} \operatorname{tr} W_{\mu\nu}(x)$ over sites and planes, shape batch."""
    traces = jnp.trace(jnp.asarray(plaquettes(links)), axis1=-2, axis2=-1).real / links.n
    return jnp.mean(traces, axis=tuple(range(-1 - links.dim, 0)))


def wilson_action(links: Links, beta: float | Float[Array, ""]) -> Float[Array, "*batch"]:
    """S of each field, shape batch; beta is 2 N / g^2."""
    traces = jnp.trace(jnp.asarray(plaquettes(links)), axis1=-2, axis2=-1).real / links.n
    return beta * jnp.sum(1 - traces, axis=tuple(range(-1 - links.dim, 0)))


def staples(links: Links, mu: int) -> Field:
    r"""$A_\mu(x)$, the paths from $x + \hat\mu$ back to x around plaquettes, two in each plane, summed.

    The action holds a link in $-\frac\beta N \operatorname{Re} \operatorname{tr} U_\mu(x) A_\mu(x)$ alone. Its shape is
    (*batch, *sites, N, N).
    """
    check_links(links)
    check_direction(mu, links.dim)
    if links.dim < 2:
        raise ValueError("expected a lattice of at least two dimensions; in one there are no plaquettes.")
    others = [nu + 1 for nu in range(links.dim) if nu != mu]
    lines = [wilson_line(links, path) for nu in others for path in ((nu, -mu - 1, -nu), (-nu, -mu - 1, nu))]
    total = lines[0]
    for line in lines[1:]:
        total = total + line
    return shift(total, mu, links.dim)


def force(links: Links, beta: float | Float[Array, ""]) -> Complex[Array, "..."]:
    r"""$-\nabla S$ in the Lie algebra, of the shape of the links.

    $\delta S = \sum \operatorname{Re} \operatorname{tr} X^\dagger \nabla S$ for $\delta U = X U$.
    """
    check_links(links)
    ua = stacked([links.direction(mu) @ staples(links, mu) for mu in range(links.dim)])
    return scaled(-beta / links.n, algebra_part(jnp.asarray(ua), links.group))
