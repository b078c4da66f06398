r"""Wilson lines and loops: ordered products of links along a path.

A path is a sequence of steps, `+(mu + 1)` along direction mu and `-(mu + 1)` against it; that of a plaquette is
`(1, 2, -1, -2)`.
Loops that start at x transform as $W(x) \to \Omega(x)^\dagger W(x) \Omega(x)$; their traces do not change.
"""

import itertools
from collections.abc import Sequence

from .links import Field, Links, check_direction, check_links, dagger, shift, stacked


def wilson_line(links: Links, path: Sequence[int]) -> Field:
    r"""The product of links along a path from x, $P(x) \to \Omega(x)^\dagger P(x) \Omega(x + \mathrm{path})$.

    Args:
        links: the field.
        path: steps, `+(mu + 1)` or `-(mu + 1)`; at least one.

    Returns:
        For each starting point x, (*batch, *sites, N, N).

    Raises:
        ValueError: an empty path, or a step in a direction the lattice does not have.
    """
    check_links(links)
    if not path:
        raise ValueError("expected a path of at least one step, such as (1, 2, -1, -2).")
    at = [0] * links.dim  # where the path has come to, relative to x
    product: Field | None = None
    for step in path:
        mu = abs(step) - 1
        if not 0 <= mu < links.dim:
            raise ValueError(f"expected steps from 1 to {links.dim}, with either sign, got {step}; 1 is direction 0.")
        link = links.direction(mu)
        if step < 0:
            at[mu] -= 1
            link = dagger(link)
        for nu, distance in enumerate(at):
            if distance:
                link = shift(link, nu, links.dim, distance)
        if step > 0:
            at[mu] += 1
        product = link if product is None else product @ link
    assert product is not None
    return product


def wilson_loop(links: Links, path: Sequence[int]) -> Field:
    """The product of links around a closed path; it may close by winding around the lattice.

    Args:
        links: the field.
        path: steps as `wilson_line` takes them, that lead back to where they began.

    Returns:
        For each starting point, (*batch, *sites, N, N).

    Raises:
        ValueError: a path that is not closed.
    """
    check_links(links)
    ends = [sum((step > 0) - (step < 0) for step in path if abs(step) == mu + 1) for mu in range(links.dim)]
    if any(end % size for end, size in zip(ends, links.sites, strict=True)):
        raise ValueError(f"expected a closed path on a lattice {links.sites}, got one that ends {tuple(ends)} away.")
    return wilson_line(links, path)


def rectangle(mu: int, nu: int, length: int, height: int) -> tuple[int, ...]:
    """The path around a rectangle, `length` along mu first, then `height` along nu.

    >>> rectangle(0, 1, 2, 1)
    (1, 1, 2, -1, -1, -2)
    """
    if mu == nu or min(mu, nu) < 0 or min(length, height) < 1:
        raise ValueError(f"expected two directions and sizes of at least 1, got {mu}, {nu}, {length}, {height}.")
    a, b = mu + 1, nu + 1
    return (a,) * length + (b,) * height + (-a,) * length + (-b,) * height


def plaquette(links: Links, mu: int, nu: int) -> Field:
    r"""$W_{\mu\nu}(x) = U_\mu(x)\, U_\nu(x + \hat\mu)\, U_\mu(x + \hat\nu)^\dagger\, U_\nu(x)^\dagger$.

    Its shape is (*batch, *sites, N, N).
    """
    check_links(links)
    for direction in (mu, nu):
        check_direction(direction, links.dim)
    return wilson_loop(links, rectangle(mu, nu, 1, 1))


def planes(dim: int) -> list[tuple[int, int]]:
    """The pairs mu < nu in the order of `plaquettes`.

    >>> planes(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(itertools.combinations(range(dim), 2))


def plaquettes(links: Links) -> Field:
    """Plaquettes of all planes mu < nu, (*batch, *sites, D (D - 1) / 2, N, N): the channels of a network."""
    check_links(links)
    if links.dim < 2:
        raise ValueError("expected a lattice of at least two dimensions; in one there are Polyakov loops only.")
    return stacked([plaquette(links, mu, nu) for mu, nu in planes(links.dim)])


def polyakov_loop(links: Links, mu: int) -> Field:
    """The product of all links in direction mu, once around the lattice from each x, (*batch, *sites, N, N)."""
    check_links(links)
    check_direction(mu, links.dim)
    return wilson_loop(links, (mu + 1,) * links.sites[mu])


def polyakov_loops(links: Links) -> Field:
    """Polyakov loops of all directions, (*batch, *sites, D, N, N)."""
    check_links(links)
    return stacked([polyakov_loop(links, mu) for mu in range(links.dim)])
