"""Signals by their harmonic coefficients: rotations, vectors and tensors as signals."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from .groups import turned
from .rotations import euler_angles
from .transform import band_limit
from .wigner import wigner_real


def rotate(f: Array, rotation: ArrayLike) -> Array:
    r"""$(\rho(R) f)(x) = f(R^{-1} x)$ of signals on the sphere: each degree is multiplied by $D^l(R)$.

    Args:
        f: real coefficients (..., (lmax + 1)^2, channels), as examples of networks are.
        rotation: one matrix (3, 3), whose numbers are known: not traced by jax.jit, jax.vmap or jax.grad.

    Returns:
        The shape of f.

    Raises:
        ValueError: shapes that do not fit, or a matrix that is no rotation.
        TypeError: a rotation that is traced, or coefficients that are no floating-point numbers.

    >>> f = from_vectors(jnp.array([[1.0, 0.0, 0.0]]))
    >>> turn = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    >>> to_vectors(rotate(f, turn)).round(6).tolist()
    [[0.0, 1.0, 0.0]]
    """
    _check_known("rotation", rotation)
    if np.shape(rotation) != (3, 3):
        raise ValueError(f"expected one rotation matrix (3, 3), got shape {np.shape(rotation)}; call it for each one.")
    angles = euler_angles(rotation)
    return _turned(f, [wigner_real(l, *angles) for l in range(_lmax(f, band_limit) + 1)])


def rotate_circle(f: Array, angle: ArrayLike) -> Array:
    """The same on the circle: real coefficients (..., 2 lmax + 1, channels), turned by a known angle in radians."""
    _check_known("angle", angle)
    return _turned(f, [turned(l, angle) for l in range(_lmax(f, lambda n: n // 2) + 1)])


def _lmax(f: Array, limit) -> int:
    if f.ndim < 2:
        raise ValueError(f"expected signals (..., coefficients, channels), got shape {f.shape}; add f[..., None].")
    _check_floating(f)
    return limit(f.shape[-2])


def _check_known(name: str, value: ArrayLike) -> None:
    if isinstance(value, jax.core.Tracer):
        raise TypeError(
            f"expected the numbers of {name}, got a traced array: irreps are tables of NumPy, so jax.jit, jax.vmap and "
            "jax.grad may go over signals only; call it outside of them, once for each."
        )


def _check_floating(array: Array) -> None:
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise TypeError(f"expected floating-point numbers, got {array.dtype}; convert with array.astype(float).")


def _turned(f: Array, blocks: list[np.ndarray]) -> Array:
    sizes = np.cumsum([0, *map(len, blocks)])
    if sizes[-1] != f.shape[-2]:
        raise ValueError(f"expected 2 lmax + 1 coefficients of signals on the circle, got {f.shape[-2]}.")
    parts = [
        jnp.einsum("mn,...nc->...mc", jnp.asarray(block, f.dtype), f[..., low:high, :])
        for block, low, high in zip(blocks, sizes[:-1], sizes[1:], strict=True)
    ]
    return jnp.concatenate(parts, axis=-2)


def from_vectors(v: Array) -> Array:
    r"""Sets of vectors (..., points, 3) as signals $f_p(x) = \sqrt{3} v_p \cdot x$, (..., 4, points): a channel each.

    They are turned with the vectors, `rotate(from_vectors(v), R) == from_vectors(v @ R.T)`, and
    $\int f_p f_q\, dx / 4\pi = v_p \cdot v_q$.
    """
    if v.ndim < 2 or v.shape[-1] != 3:
        raise ValueError(f"expected vectors (..., points, 3), got shape {v.shape}.")
    _check_floating(v)
    first = jnp.swapaxes(v[..., np.array([1, 2, 0])], -1, -2) * (4 * jnp.pi) ** 0.5
    return jnp.concatenate([jnp.zeros_like(first[..., :1, :]), first], axis=-2)


def to_vectors(f: Array) -> Array:
    """The inverse of `from_vectors`, from the coefficients of degree 1 of signals on the sphere, (..., points, 3)."""
    if _lmax(f, band_limit) < 1:
        raise ValueError(f"expected signals (..., coefficients, points) with degree 1, got shape {f.shape}.")
    return jnp.swapaxes(f[..., 1:4, :], -1, -2)[..., np.array([2, 0, 1])] / (4 * jnp.pi) ** 0.5


def from_tensors(t: Array) -> tuple[Array, Array]:
    """Symmetric tensors (..., 3, 3) as irreps: the trace over sqrt(3), (..., 1), and degree 2, (..., 5).

    The sum of squares is that of the tensor's entries, and degree 2 turns by `wigner_real(2, ...)`.

    Raises:
        ValueError: shapes that do not fit, or tensors that are not symmetric, where they are not traced.
        TypeError: entries that are no floating-point numbers.

    >>> zero, two = from_tensors(jnp.eye(3))
    >>> round(float(zero[0]), 3), bool(jnp.abs(two).max() < 1e-6)
    (1.732, True)
    """
    if t.shape[-2:] != (3, 3):
        raise ValueError(f"expected tensors (..., 3, 3), got shape {t.shape}.")
    _check_floating(t)
    skew = jnp.abs(t - jnp.swapaxes(t, -1, -2))
    if not isinstance(skew, jax.core.Tracer) and jnp.any(skew > 100 * jnp.finfo(t.dtype).eps * jnp.max(jnp.abs(t))):
        raise ValueError(
            f"expected symmetric tensors, got entries that differ by {float(jnp.max(skew)):.1e} from their transposed; "
            "take (t + jnp.swapaxes(t, -1, -2)) / 2, and the rest apart: it turns as a vector."
        )
    flat = t.reshape(*t.shape[:-2], 9)
    basis = jnp.asarray(_tensor_basis(), t.dtype)
    both = jnp.einsum("...a,ba->...b", flat, basis)
    return both[..., :1], both[..., 1:]


def to_tensors(zero: Array, two: Array) -> Array:
    """The inverse of `from_tensors`, shape (..., 3, 3)."""
    if zero.shape[-1:] != (1,) or two.shape != (*zero.shape[:-1], 5):
        raise ValueError(f"expected degrees 0 and 2 of shapes (..., 1) and (..., 5), got {zero.shape} and {two.shape}.")
    both = jnp.concatenate([zero, two], axis=-1)
    basis = jnp.asarray(_tensor_basis(), both.dtype)
    return jnp.einsum("...b,ba->...a", both, basis).reshape(*both.shape[:-1], 3, 3)


def _tensor_basis() -> np.ndarray:
    """Orthonormal symmetric tensors (6, 9): the one of degree 0, then those T of degree 2, x^T T x ~ R_2m."""
    x, y, z = range(3)
    t = np.zeros((6, 3, 3))
    t[0] = np.eye(3) / np.sqrt(3)
    for m, (i, j) in ((1, (x, y)), (2, (y, z)), (4, (x, z))):
        t[m, i, j] = t[m, j, i] = np.sqrt(0.5)
    t[3] = np.diag([-1, -1, 2]) / np.sqrt(6)
    t[5] = np.diag([1, -1, 0]) / np.sqrt(2)
    return t.reshape(6, 9)
