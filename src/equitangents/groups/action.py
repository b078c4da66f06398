r"""How groups act on arrays: $\rho(g)\rho(h) = \rho(gh)$, always from the left."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, Shaped

from .finite_group import FiniteGroup, Subgroup, check_group
from .planar import PointGroup, TorusGroup, check_acts_on_pixels, pixel_permutation
from .value import Value, content, frozen

Element = int | np.integer | Integer[Array, ""] | Integer[np.ndarray, ""]


class Action(Value):
    r"""A group acting on arrays; `action(g, x)` is $\rho(g) x$. Immutable, hashable, without JAX arrays inside.

    Made by `image_action`, `permutation_action`, `matrix_action`, `trivial_action`.

    Attributes:
        group: the group.
        is_orthogonal: whether every $\rho(g)$ keeps the norm.
    """

    group: FiniteGroup

    @property
    @abc.abstractmethod
    def is_orthogonal(self) -> bool: ...

    @abc.abstractmethod
    def check_shape(self, shape: tuple[int, ...]) -> None:
        """A ValueError unless the group acts on arrays of this shape, or on a batch of them."""

    @abc.abstractmethod
    def restrict(self, subgroup: Subgroup) -> "Action":
        """The same action of a subgroup of `group`; element i is `subgroup.elements[i]`."""

    @abc.abstractmethod
    def _apply(self, g: Any, x: Array) -> Array: ...

    def __call__(self, g: Element, x: Shaped[Array | np.ndarray, "*shape"]) -> Shaped[Array, "*shape"]:
        r"""$\rho(g) x$ for one example or a batch of them.

        Args:
            g: index of the element; an integer, or traced (then not checked to be one of the group).
            x: shape (*batch, *example).

        Raises:
            ValueError: no such element, or the group does not act on arrays of this shape.
            TypeError: the type of number does not suit the matrices.
        """
        self.check_shape(x.shape)
        if not isinstance(g, jax.core.Tracer):
            g = self.group.check_element(g)
        return self._apply(g, jnp.asarray(x))

    def orbit(self, x: Shaped[Array | np.ndarray, "*shape"]) -> Shaped[Array, "order *shape"]:
        r"""$\rho(g) x$ for all g, along a new first axis in the order of the elements."""
        self.check_shape(x.shape)
        return jax.vmap(self._apply, (0, None))(jnp.arange(self.group.order), jnp.asarray(x))


class _Image(Action):
    def __init__(self, group: PointGroup | TorusGroup):
        self._set(group=group)

    def __repr__(self) -> str:
        return f"image_action({self.group})"

    def _key(self) -> tuple[Any, ...]:
        return (self.group,)

    @property
    def is_orthogonal(self) -> bool:
        return True

    def check_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"{self} expected images (height, width, channels) or batches of them; got shape {shape}; "
                "add an axis of channels."
            )
        pixel_permutation(self.group, *shape[-3:-1])

    def restrict(self, subgroup: Subgroup) -> Action:
        self.group.check_subgroup(subgroup)
        return image_action(subgroup.group)

    def _apply(self, g: Any, x: Array) -> Array:
        *batch, height, width, channels = x.shape
        sources = pixel_permutation(self.group, height, width)[self.group.inverse]
        flat = x.reshape(*batch, height * width, channels)
        return _gather(flat, sources, g, -2).reshape(x.shape)


class _Permutation(Action):
    permutations: np.ndarray
    axis: int

    def __init__(self, group: FiniteGroup, permutations: np.ndarray, axis: int):
        self._set(group=group, permutations=frozen(permutations, np.int32), axis=axis)

    def __repr__(self) -> str:
        return f"permutation_action({self.group}, <{self.permutations.shape[1]} points>, axis={self.axis})"

    def _key(self) -> tuple[Any, ...]:
        return self.group, content(self.permutations), self.axis

    @property
    def is_orthogonal(self) -> bool:
        return True

    def check_shape(self, shape: tuple[int, ...]) -> None:
        points = self.permutations.shape[1]
        if len(shape) < -self.axis or shape[self.axis] != points:
            raise ValueError(f"{self} expected {points} entries along axis {self.axis}; got shape {shape}.")

    def restrict(self, subgroup: Subgroup) -> Action:
        self.group.check_subgroup(subgroup)
        return _Permutation(subgroup.group, self.permutations[list(subgroup.elements)], self.axis)

    def _apply(self, g: Any, x: Array) -> Array:
        return _gather(x, self.permutations[self.group.inverse], g, self.axis)


class _Matrix(Action):
    matrices: np.ndarray

    def __init__(self, group: FiniteGroup, matrices: np.ndarray):
        self._set(group=group, matrices=frozen(matrices))

    def __repr__(self) -> str:
        d = self.matrices.shape[-1]
        return f"matrix_action({self.group}, <{d} x {d}>)"

    def _key(self) -> tuple[Any, ...]:
        return self.group, content(self.matrices)

    @property
    def is_orthogonal(self) -> bool:
        gram = self.matrices @ self.matrices.conj().swapaxes(1, 2)
        return bool(np.allclose(gram, np.eye(gram.shape[-1]), rtol=0, atol=1e-6))

    def check_shape(self, shape: tuple[int, ...]) -> None:
        d = self.matrices.shape[-1]
        if not shape or shape[-1] != d:
            raise ValueError(f"{self} expected vectors of {d} entries along the last axis; got shape {shape}.")

    def restrict(self, subgroup: Subgroup) -> Action:
        self.group.check_subgroup(subgroup)
        return _Matrix(subgroup.group, self.matrices[list(subgroup.elements)])

    def _apply(self, g: Any, x: Array) -> Array:
        needed = jnp.complexfloating if self.matrices.dtype.kind == "c" else jnp.inexact
        if not jnp.issubdtype(x.dtype, needed):
            raise TypeError(f"{self} expected {needed.__name__} entries; got {x.dtype}; convert them first.")
        matrix = jnp.asarray(self.matrices, x.dtype)[g]
        return jnp.einsum("ij,...j->...i", matrix, x, precision="highest")


class _Trivial(Action):
    def __init__(self, group: FiniteGroup):
        self._set(group=group)

    def __repr__(self) -> str:
        return f"trivial_action({self.group})"

    def _key(self) -> tuple[Any, ...]:
        return (self.group,)

    @property
    def is_orthogonal(self) -> bool:
        return True

    def check_shape(self, shape: tuple[int, ...]) -> None:
        return None

    def restrict(self, subgroup: Subgroup) -> Action:
        self.group.check_subgroup(subgroup)
        return _Trivial(subgroup.group)

    def _apply(self, g: Any, x: Array) -> Array:
        return x


def image_action(group: FiniteGroup) -> Action:
    r"""Rotations and flips of images (height, width, channels): $(\rho(g) f)(x) = f(g^{-1} x)$, exact on pixels.

    Element r of C4 and D4 (index 1) is `jnp.rot90`; element s (index 4 of D4) is `jnp.fliplr`. Images are square where
    the group maps rows to columns; a group of the torus acts on images of its own size.

    Raises:
        TypeError: the group does not act on pixels.

    >>> from equitangents.groups import point_group
    >>> image = jnp.arange(4.0).reshape(2, 2, 1)
    >>> image_action(point_group("C4"))(1, image)[..., 0].tolist()
    [[1.0, 3.0], [0.0, 2.0]]
    """
    return _Image(check_acts_on_pixels(group))


def permutation_action(group: FiniteGroup, permutations: Any, axis: int = -1) -> Action:
    r"""Permutations of the entries along one axis: $(\rho(g) x)_{g i} = x_i$ with $g i$ = `permutations[g, i]`.

    Args:
        group: the group.
        permutations: integers, shape (|G|, points); point i goes to `permutations[g, i]`: row gh is row g after row h.
        axis: the axis permuted, counted from the last, as batches come first: -1 for vectors, -2 for (sites, channels).

    Raises:
        ValueError: a row is no permutation, or the rows do not multiply as the group does.

    >>> from equitangents.groups import cyclic
    >>> shift = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    >>> shift(1, jnp.array([10.0, 20.0, 30.0])).tolist()
    [30.0, 10.0, 20.0]
    """
    check_group(group)
    permutations = np.asarray(permutations)
    if axis >= 0:
        raise ValueError(f"expected a negative axis, counted from the last, as batches come first; got {axis}.")
    if permutations.ndim != 2 or permutations.dtype.kind not in "iu" or len(permutations) != group.order:
        raise ValueError(
            f"expected permutations as integers of shape ({group.order}, points), one row for each element of {group}; "
            f"got {permutations.dtype} of shape {permutations.shape}."
        )
    wrong = np.flatnonzero((np.sort(permutations, axis=1) != np.arange(permutations.shape[1])).any(1))
    if wrong.size:
        g = wrong[0]
        raise ValueError(
            f"expected permutations of 0 to {permutations.shape[1] - 1}; got row {g} = {permutations[g].tolist()}; "
            "each point must be reached once."
        )
    if (permutations[group.identity] != np.arange(permutations.shape[1])).any():
        raise ValueError(
            f"expected the identity, element {group.identity} of {group}, to move no point; got row "
            f"{permutations[group.identity].tolist()}; check the order of the rows."
        )
    for g in group.generators():  # enough: every element is a product of these
        _check_homomorphism(group, g, (permutations[group.table[g]] != permutations[g][permutations]).any(1))
    return _Permutation(group, permutations, axis)


def matrix_action(group: FiniteGroup, matrices: Any) -> Action:
    r"""Vectors (d,) multiplied by matrices, orthogonal or not: $\rho(g) x$ = `matrices[g] @ x`.

    Args:
        group: the group.
        matrices: shape (|G|, d, d), real or complex; the last axis of arrays is acted on.

    Raises:
        ValueError: wrong shape, not finite, the identity is not the unit matrix, or they do not multiply as the group
            does, to 1e-6 of the largest product.
    """
    check_group(group)
    matrices = np.asarray(matrices)
    if matrices.ndim != 3 or len(matrices) != group.order or matrices.shape[1] != matrices.shape[2]:
        raise ValueError(
            f"expected matrices of shape ({group.order}, d, d), one for each element of {group}; got {matrices.shape}."
        )
    if matrices.dtype.kind not in "iufc" or not np.isfinite(matrices).all():
        raise ValueError(f"expected matrices of finite numbers; got {matrices.dtype} with others; check their entries.")
    matrices = matrices.astype(complex if matrices.dtype.kind == "c" else float)
    tolerance = 1e-6 * max(1.0, np.abs(matrices).max(initial=0.0)) ** 2
    if (np.abs(matrices[group.identity] - np.eye(matrices.shape[1])) > tolerance).any():
        raise ValueError(
            f"expected the unit matrix for the identity, element {group.identity} of {group}; got another; "
            "check the order of the matrices."
        )
    for g in group.generators():
        difference = np.abs(matrices[group.table[g]] - matrices[g] @ matrices)
        _check_homomorphism(group, g, (difference > tolerance).any((1, 2)))
    return _Matrix(group, matrices)


def trivial_action(group: FiniteGroup) -> Action:
    r"""Nothing moves: $\rho(g) x = x$ for arrays of any shape; the action on targets that are invariant."""
    check_group(group)
    return _Trivial(group)


def _check_homomorphism(group: FiniteGroup, g: int, fails: np.ndarray) -> None:
    if fails.any():
        h = int(np.argmax(fails))
        raise ValueError(
            f"expected rho(g) rho(h) = rho(gh); it fails for (g, h) = ({g}, {h}) of {group}, gh = {group.table[g, h]}; "
            "check the order of the elements, or whether you gave the inverses."
        )


def _gather(x: Array, sources: np.ndarray, g: Any, axis: int) -> Array:
    indices = sources[g] if isinstance(g, int) else jnp.asarray(sources)[g]
    return jnp.take(x, indices, axis=axis, unique_indices=True, mode="clip")
