r"""Lattice gauge fields: link matrices $U_\mu(x)$ from site x to $x + \hat\mu$ on a periodic lattice.

$$U_\mu(x) \to \Omega(x)^\dagger\, U_\mu(x)\, \Omega(x + \hat\mu)$$

Fields of matrices have shape (*batch, *sites, N, N), links (*batch, *sites, D, N, N). Everything here works on arrays
of JAX and of NumPy, in the precision they have: with the flags of JAX untouched, complex128 lives only in the latter.
"""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

Field = Array | np.ndarray


def group_size(group: str) -> int:
    """N of a group's name "U(N)" or "SU(N)".

    Raises:
        ValueError: another name.

    >>> group_size("SU(3)")
    3
    """
    found = re.fullmatch(r"(SU|U)\(([1-9]\d*)\)", group)
    if found is None or group == "SU(1)":
        raise ValueError(f"expected a group 'U(1)', 'U(2)', ... or 'SU(2)', 'SU(3)', ..., got {group!r}.")
    return int(found[2])


def is_special(group: str) -> bool:
    """Whether the group is SU(N)."""
    return group.startswith("S")


class Links(eqx.Module):
    r"""A gauge field, or a batch of them: $U_\mu(x)$ goes from site x to $x + \hat\mu$, with periodic boundaries.

    An immutable pytree with one leaf. `jax.vmap` may go over the leading axes, which every function here also takes as
    a batch.

    Attributes:
        array: (*batch, *sites, D, N, N) complex, with D = len(sites).
        group: "U(N)" or "SU(N)", for instance "U(1)", "SU(3)".

    Raises:
        ValueError: shapes that do not fit each other or the group.
        TypeError: something else than an array, or entries that are not complex.

    >>> links = Links(jnp.exp(1j * jnp.ones((8, 6, 2)))[..., None, None], "U(1)")
    >>> links.sites, links.dim, links.n
    ((8, 6), 2, 1)
    """

    array: Field
    group: str = eqx.field(static=True)

    def __check_init__(self):
        if not hasattr(self.array, "shape"):
            raise TypeError(f"expected an array (*batch, *sites, D, N, N), got {described(self.array)}.")
        n, shape = group_size(self.group), self.array.shape
        if len(shape) < 4 or shape[-2:] != (n, n):
            raise ValueError(f"expected links (*batch, *sites, D, {n}, {n}) of {self.group}, got shape {shape}.")
        if not 1 <= shape[-3] <= len(shape) - 3:
            raise ValueError(
                f"expected D = {shape[-3]} axes of sites before the last three, got shape {shape}; "
                "the third axis from the end goes over the directions."
            )
        if not jnp.issubdtype(self.array.dtype, jnp.complexfloating):
            raise TypeError(f"expected complex links, got {self.array.dtype}; convert with array.astype(complex).")

    @property
    def n(self) -> int:
        """N, the size of the matrices."""
        return self.array.shape[-1]

    @property
    def dim(self) -> int:
        """D, the dimension of the lattice."""
        return self.array.shape[-3]

    @property
    def sites(self) -> tuple[int, ...]:
        """The shape of the lattice."""
        return self.array.shape[-3 - self.dim : -3]

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading axes, () for one field."""
        return self.array.shape[: -3 - self.dim]

    def direction(self, mu: int) -> Field:
        """The links in direction mu, shape (*batch, *sites, N, N)."""
        check_direction(mu, self.dim)
        return self.array[..., mu, :, :]


def identity_links(group: str, sites: tuple[int, ...], batch: tuple[int, ...] = ()) -> Links:
    """Links that are all 1: the vacuum, and the cold start of a Markov chain."""
    check_sites(sites)
    n = group_size(group)
    one = jnp.eye(n, dtype=jax.dtypes.canonicalize_dtype(complex))
    return Links(jnp.broadcast_to(one, (*batch, *sites, len(sites), n, n)), group)


def shift(field: Field, mu: int, dim: int, distance: int = 1, trailing: int = 2) -> Field:
    r"""The field at $x + d \hat\mu$ instead of x.

    Args:
        field: (*batch, *sites, ...), with `dim` axes of sites before the last `trailing` ones.
        mu: direction, from 0.
        dim: D, the dimension of the lattice.
        distance: d, of any sign.
        trailing: axes after the sites: 2 for matrices, 3 for channels of matrices.

    Returns:
        The shape of the field.

    >>> shift(np.arange(4.0), 0, dim=1, trailing=0).tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    check_direction(mu, dim)
    if field.ndim < dim + trailing:
        raise ValueError(f"expected {dim} axes of sites before the last {trailing}, got shape {field.shape}.")
    roll = np.roll if isinstance(field, np.ndarray) else jnp.roll
    return roll(field, -distance, axis=field.ndim - trailing - dim + mu)


def dagger(field: Field) -> Field:
    """The adjoint of every matrix."""
    return field.conj().swapaxes(-1, -2)


def gauge_transform(links: Links, omega: Field) -> Links:
    r"""$U_\mu(x) \to \Omega(x)^\dagger\, U_\mu(x)\, \Omega(x + \hat\mu)$.

    Args:
        links: the field.
        omega: a matrix of the group at each site, (*batch, *sites, N, N); `random_gauge` draws one.

    Raises:
        TypeError, ValueError: something else than `Links`; shapes that do not fit.
    """
    check_links(links)
    _check_matrices("omega", omega, links)
    moved = [dagger(omega) @ links.direction(mu) @ shift(omega, mu, links.dim) for mu in range(links.dim)]
    return Links(stacked(moved), links.group)


def transform_matrices(w: Field, omega: Field) -> Field:
    r"""$W(x) \to \Omega(x)^\dagger\, W(x)\, \Omega(x)$, as plaquettes and all loops that start at x transform.

    Args:
        w: (*batch, *sites, N, N).
        omega: the same shape.
    """
    if w.shape != omega.shape:
        raise ValueError(f"expected w and omega of one shape, got {w.shape} and {omega.shape}; broadcast omega first.")
    return dagger(omega) @ w @ omega


def check_links(links: Any) -> None:
    """Raise unless this is `Links`."""
    if not isinstance(links, Links):
        raise TypeError(f"expected Links, got {described(links)}; {_cure(links)}.")


def described(value: Any) -> str:
    """What a value is, for messages.

    >>> described(np.zeros((2, 2)))
    'an array of shape (2, 2)'
    """
    if isinstance(value, Links):
        return f"Links of {value.group}, whose array has shape {value.array.shape}"
    if is_key(value):
        return "a random key"
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    return f"{value!r}" if isinstance(value, int | float | str | None) else f"a {type(value).__name__}"


def is_key(value: Any) -> bool:
    """Whether this is a random key, of either kind."""
    if not isinstance(value, np.ndarray | jax.Array):
        return False
    return jnp.issubdtype(value.dtype, jax.dtypes.prng_key) or (value.dtype == np.uint32 and value.shape == (2,))


def _cure(value: Any) -> str:
    if is_key(value):
        return "the key comes first, then the links"
    if isinstance(value, np.ndarray | jax.Array) and value.ndim > 3:
        return f'name the group of their matrices, Links(array, "U({value.shape[-1]})")'
    return 'random_links(key, "U(2)", (8, 8)) makes some'


def check_direction(mu: int, dim: int) -> None:
    """Raise unless mu is a direction of a lattice of `dim` dimensions."""
    if not 0 <= mu < dim:
        raise ValueError(f"expected a direction from 0 to {dim - 1}, got {mu}.")


def check_sites(sites: Any) -> None:
    """Raise unless `sites` is the shape of a lattice."""
    if not isinstance(sites, tuple | list) or not all(isinstance(size, int | np.integer) for size in sites):
        raise TypeError(f"expected the shape of a lattice, integers such as (8, 8), got {sites!r}.")
    if not sites or any(size < 1 for size in sites):
        raise ValueError(f"expected the shape of a lattice such as (8, 8), got {sites}.")


def _check_matrices(name: str, field: Any, links: Links) -> None:
    expected = (*links.batch, *links.sites, links.n, links.n)
    if getattr(field, "shape", None) != expected:
        raise ValueError(f"expected {name} of shape {expected}, a matrix at each site, got {described(field)}.")


def stacked(fields: list[Field]) -> Field:
    """Fields (*batch, *sites, N, N) as (*batch, *sites, len(fields), N, N)."""
    stack = np.stack if all(isinstance(field, np.ndarray) for field in fields) else jnp.stack
    return stack(fields, axis=-3)
