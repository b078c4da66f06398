"""What every layer is: an immutable description with `init` and `apply` for one example."""

import abc
import dataclasses
import functools
import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

Params = Any
Shape = tuple[int, ...]
Scalar = float | int | Array


class AbstractLayer(eqx.Module):
    r"""A description of a network or of a part of it: static sizes, scales of its prior, no weights.

    A layer maps one example of shape `(*sites, channels)` to another; a vector is `(d,)`, an image
    `(height, width, channels)`. Batches are `jax.vmap`. Descriptions are values: they print as one would write them,
    and they hash and compare while their numbers are Python floats.
    """

    @abc.abstractmethod
    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        """Draw parameters for examples of `shape`.

        Args:
            key: PRNG key.
            shape: shape of one example, without a batch axis.

        Returns:
            The shape of one output and a pytree of parameters.

        Raises:
            ValueError: if the layer does not take examples of this shape.
        """

    @abc.abstractmethod
    def apply(self, params: Params, x: Any) -> Any:
        """The network's output for one example `x`, with the parameters drawn by `init`.

        Both are arrays, but between layers that pass on more than one, such as links and matrices on a lattice.
        """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        return _numbers(self) == _numbers(other)

    def __hash__(self) -> int:
        return hash((type(self), _numbers(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(_arguments(self))})"


def output_shape(layer: AbstractLayer, shape: Shape) -> Shape:
    """Shape of the layer's output for one example of `shape`; nothing is computed.

    >>> from equitangents.nets import Conv, Dense, Flatten, Serial
    >>> output_shape(Serial(Conv(16, (3, 3)), Flatten(), Dense(10)), (8, 8, 1))
    (10,)
    """
    try:
        return _known_shape(layer, tuple(shape))
    except TypeError:  # it holds arrays; or what is wrong is said again
        return _found_shape(layer, shape)


def _found_shape(layer: AbstractLayer, shape: Shape) -> Shape:
    shapes: list[Shape] = []

    def draw(key: PRNGKeyArray) -> Params:
        out, params = layer.init(key, shape)
        shapes.append(tuple(out))
        return params

    jax.eval_shape(draw, jax.random.key(0))
    return shapes[0]


_known_shape = functools.lru_cache(maxsize=1024)(_found_shape)


def is_known(number: Any) -> bool:
    """Whether a number can be looked at: true for Python and NumPy numbers, false for arrays of JAX."""
    return isinstance(number, int | float | np.number)


def check_range(owner: AbstractLayer, name: str, *, low: float = -math.inf, none: bool = False) -> None:
    """Raise unless the number `name` of `owner` is finite and at least `low`; arrays of JAX are not looked at."""
    value = getattr(owner, name)
    where = f"{type(owner).__name__}: expected {name}"
    if value is None and none:
        return
    if isinstance(value, bool) or not (is_known(value) or isinstance(value, jax.Array)):
        raise TypeError(f"{where} to be a number, got {value!r} of type {type(value).__name__}; pass a float.")
    if is_known(value) and not (math.isfinite(value) and value >= low):
        bound = f"a finite number >= {low:g}" if math.isfinite(low) else "a finite number"
        raise ValueError(f"{where} to be {bound}, got {value!r}.")


def check_size(owner: AbstractLayer, name: str) -> None:
    """Raise unless the static size `name` of `owner` is a positive integer."""
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{type(owner).__name__}: expected {name} to be an integer, got {value!r}; pass an int.")
    if value < 1:
        raise ValueError(f"{type(owner).__name__}: expected {name} >= 1, got {value}.")


def check_shape(owner: AbstractLayer, shape: Shape, sites: int | None = None) -> None:
    """Raise unless `shape` is that of one example with `sites` axes of sites (any number if None) and channels."""
    expected = "(*sites, channels)" if sites is None else f"({', '.join([f'site{i}' for i in range(sites)])}, channels)"
    if len(shape) == 0 or (sites is not None and len(shape) != sites + 1):
        cure = "give the shape of a single example, without a batch axis"
        if sites == 1 and len(shape) == 3 and hasattr(owner, "window"):
            cure += f"; for images of shape (height, width, channels) give a window of two sizes, not {owner.window}"
        raise ValueError(
            f"{type(owner).__name__} expected one example of shape {expected}, got shape {tuple(shape)}; {cure}."
        )
    if any(size < 1 for size in shape):
        raise ValueError(f"{type(owner).__name__} expected positive sizes, got shape {tuple(shape)}.")


def _numbers(value: Any) -> Any:
    """The description as nested tuples of hashable values."""
    if isinstance(value, AbstractLayer):
        return (type(value), *(_numbers(getattr(value, field.name)) for field in dataclasses.fields(value)))
    if isinstance(value, tuple | list):
        return tuple(_numbers(v) for v in value)
    if isinstance(value, jax.Array):
        raise TypeError(
            "expected a description whose numbers are Python floats, got a JAX array inside; descriptions that are "
            "traced or mapped cannot be hashed or compared: convert their numbers with float(...) first."
        )
    return value


def _arguments(layer: AbstractLayer) -> list[str]:
    """The arguments one would write: required ones by position, then those that differ from their default."""
    written: list[str] = []
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.default is dataclasses.MISSING:
            written.append(_show(value))
        elif isinstance(value, jax.Array) or (value is not field.default and value != field.default):
            written.append(f"{field.name}={_show(value)}")
    return written


def _show(value: Any) -> str:
    if isinstance(value, jax.Array):
        return f"<{value.dtype}{list(value.shape)}>"
    if isinstance(value, tuple):
        inside = ", ".join(_show(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if callable(value) and not isinstance(value, AbstractLayer):
        return getattr(value, "__name__", repr(value))
    return repr(value)
