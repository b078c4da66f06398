"""Haar measure on U(N) and SU(N): random matrices, links and gauge transformations."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Complex, PRNGKeyArray

from .links import Links, check_sites, group_size, is_special


def haar(key: PRNGKeyArray, group: str, shape: tuple[int, ...] = ()) -> Complex[Array, "*shape n n"]:
    r"""Matrices from the Haar measure of U(N) or SU(N).

    $Z = Q R$ with independent complex normal entries and the phases fixed so that the diagonal of R is positive;
    without that Q is not uniform, as the phases of R are the algorithm's choice. An element of SU(N) is
    $Q / (\det Q)^{1/N}$: the determinant does not change under multiplication by SU(N), so the result is uniform with
    any choice of the root.

    Args:
        key: random key.
        group: "U(N)" or "SU(N)".
        shape: how many.

    Returns:
        Shape (*shape, N, N), in the precision JAX is set to.

    References:
        Mezzadri (2007), arXiv:math-ph/0609050.

    >>> u = haar(jr.key(0), "SU(3)")
    >>> bool(jnp.abs(jnp.linalg.det(u) - 1) < 1e-5), bool(jnp.abs(u @ u.conj().T - jnp.eye(3)).max() < 1e-5)
    (True, True)
    """
    n = group_size(group)
    z = jr.normal(key, (*shape, n, n), jax.dtypes.canonicalize_dtype(complex))
    if group == "U(1)":
        return jax.lax.sign(z)
    q, r = jnp.linalg.qr(z)
    q = q * jax.lax.sign(jnp.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return unit_determinant(q) if is_special(group) else q


def unit_determinant(u: Complex[Array, "*shape n n"]) -> Complex[Array, "*shape n n"]:
    r"""$U / (\det U)^{1/N}$ of unitary matrices, with the principal root."""
    phase = jnp.angle(jnp.linalg.det(u)) / u.shape[-1]
    return u * jax.lax.complex(jnp.cos(phase), -jnp.sin(phase))[..., None, None]


def random_links(key: PRNGKeyArray, group: str, sites: tuple[int, ...], batch: tuple[int, ...] = ()) -> Links:
    """Independent Haar links: the strong-coupling limit, and the hot start of a Markov chain.

    >>> random_links(jr.key(0), "U(2)", (5, 5), batch=(32,)).array.shape
    (32, 5, 5, 2, 2, 2)
    """
    check_sites(sites)
    return Links(haar(key, group, (*batch, *sites, len(sites))), group)


def random_gauge(
    key: PRNGKeyArray, group: str, sites: tuple[int, ...], batch: tuple[int, ...] = ()
) -> Complex[Array, "..."]:
    """A gauge transformation: an independent Haar matrix at each site, shape (*batch, *sites, N, N)."""
    check_sites(sites)
    return haar(key, group, (*batch, *sites))
