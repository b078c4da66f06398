"""Fixed maps of the sites: reading some of them, and linear maps such as resizing or averaging over a graph."""

import operator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_shape
from .combinators import Serial

Index = int | tuple[int | None, int | None, int | None]


class Slice(AbstractLayer):
    """Some of the sites, as `x[index]` has them: `Slice(-1)` is the last, `Slice((1, None, None), 0)` is `x[1:, 0]`.

    Attributes:
        index: for each of the first axes of sites an integer, which removes the axis, or the start, stop and step of a
            slice, which keeps it. Python slices are taken too.
    """

    index: tuple[Index, ...] = eqx.field(static=True)

    def __init__(self, *index: Any):
        self.index = tuple(map(_as_index, index))
        if not self.index:
            raise ValueError("Slice expected an index for at least one axis of sites, got none; write Slice(0).")

    def __repr__(self) -> str:
        return f"Slice({', '.join(map(repr, self.index))})"

    @property
    def slices(self) -> tuple[int | slice, ...]:
        """The index as Python takes it."""
        return tuple(i if isinstance(i, int) else slice(*i) for i in self.index)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        if len(self.index) >= len(shape):
            raise ValueError(
                f"{self!r} expected an example with at least {len(self.index)} axes of sites, got shape {tuple(shape)}."
            )
        for axis, (i, n) in enumerate(zip(self.index, shape, strict=False)):
            if isinstance(i, int) and not -n <= i < n:
                raise ValueError(f"{self!r} expected an index from {-n} to {n - 1} for axis {axis}, got {i}.")
            if not isinstance(i, int) and len(range(*slice(*i).indices(n))) == 0:
                raise ValueError(f"{self!r} expected to keep at least one of the {n} sites of axis {axis}, got none.")
        return tuple(np.empty(shape, bool)[self.slices].shape), {}

    def apply(self, params: Params, x: Array) -> Array:
        return x[self.slices]


class SiteMap(AbstractLayer):
    r"""$y(t) = \sum_s M_{ts}\, x(s)$ along one axis of sites, with a fixed matrix M, for each channel alike.

    Attributes:
        matrix: (new sites, old sites), numbers that are not trained.
        axis: which axis of sites, from 0.

    >>> SiteMap([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    SiteMap(((0.5, 0.5, 0.0), (0.0, 0.5, 0.5)))
    """

    matrix: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    axis: int = eqx.field(static=True, default=0)

    def __init__(self, matrix: Any, axis: int = 0):
        values = np.asarray(matrix, float)
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise ValueError(f"SiteMap expected a matrix (new, old) of finite numbers, got shape {values.shape}.")
        self.matrix, self.axis = tuple(map(tuple, values.tolist())), operator.index(axis)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        if not 0 <= self.axis < len(shape) - 1 or shape[self.axis] != len(self.matrix[0]):
            raise ValueError(
                f"SiteMap expected {len(self.matrix[0])} sites on axis {self.axis}, got one example of shape "
                f"{tuple(shape)}; the matrix is (new sites, old sites)."
            )
        return (*shape[: self.axis], len(self.matrix), *shape[self.axis + 1 :]), {}

    def apply(self, params: Params, x: Array) -> Array:
        return map_axis(jnp.asarray(self.matrix, x.dtype), x, self.axis)


def map_axis(matrix: Array, x: Array, axis: int) -> Array:
    """The matrix applied along one axis."""
    return jnp.moveaxis(jnp.tensordot(matrix, x, axes=(1, axis)), 0, axis)


def resize(sites: Shape | int, new: Shape | int, method: str = "linear") -> AbstractLayer:
    """Layers that resize images or signals of `sites` to `new`, as `jax.image.resize` does, antialiasing included.

    Args:
        sites: sizes of the axes of sites before.
        new: sizes after, as many.
        method: "nearest", "linear", "lanczos3", "lanczos5" or "cubic".

    >>> resize(2, 4, "nearest").matrix
    ((1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 1.0))
    """
    olds, news = ((s,) if isinstance(s, int) else tuple(s) for s in (sites, new))
    if len(olds) != len(news) or not olds or min(*olds, *news, 1) < 1:
        raise ValueError(f"resize expected positive sizes, as many new as old ones, got {sites!r} and {new!r}.")
    with jax.ensure_compile_time_eval():
        maps = [
            SiteMap(jax.image.resize(jnp.eye(old), (size, old), method), axis)
            for axis, (old, size) in enumerate(zip(olds, news, strict=True))
        ]
    return maps[0] if len(maps) == 1 else Serial(*maps)


def _as_index(i: Any) -> Index:
    if isinstance(i, slice):
        i = (i.start, i.stop, i.step)
    if isinstance(i, tuple):
        if len(i) != 3 or i[2] == 0:
            raise ValueError(f"Slice expected start, stop and a step that is not 0, got {i}.")
        start, stop, step = (None if v is None else operator.index(v) for v in i)
        return start, stop, step
    try:
        return operator.index(i)
    except TypeError:
        raise TypeError(f"Slice expected integers and slices, got {i!r}.") from None
