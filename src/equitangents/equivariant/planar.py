"""What lifting and group convolution share: a point group that turns a filter about the centre of its window."""

import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import numpy as np

from ..groups import PointGroup, pixel_permutation, point_group
from ..nets import AbstractWeighted, Padding
from ..nets.base import Scalar, Shape
from ..nets.window import as_sizes, check_window, window_margins, window_output

Window = tuple[int, int] | Literal["all"]
Footprint = tuple[tuple[bool, ...], ...]


class AbstractPlanar(AbstractWeighted):
    """A filter on offsets (row, column) about the centre of its window, turned by every element of a point group."""

    group: PointGroup = eqx.field(static=True)
    width: int = eqx.field(static=True)
    window: Window = eqx.field(static=True)
    strides: tuple[int, int] = eqx.field(static=True, default=(1, 1))
    padding: Padding = eqx.field(static=True, default="SAME")
    footprint: Footprint | None = eqx.field(static=True, default=None)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None
    negative_control: bool = eqx.field(static=True, default=False)

    def __init__(
        self,
        group: Any,
        width: int,
        window: Any,
        *,
        strides: tuple[int, int] | int = (1, 1),
        padding: str = "SAME",
        footprint: Any = None,
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
        negative_control: bool = False,
    ):
        name = type(self).__name__
        self.group = as_point_group(name, group)
        self.width = width
        self.strides = _pair(name, "strides", strides)
        if isinstance(window, str):
            if window != "all":
                raise ValueError(f"{name}: expected window to be an integer, a pair or 'all', got {window!r}.")
            if self.strides != (1, 1) or padding == "CIRCULAR" or footprint is not None:
                raise ValueError(
                    f"{name}: expected no strides, footprint or circular padding with window='all', which covers the "
                    "whole image once; give the window as a pair for them."
                )
            self.window = "all"
        else:
            self.window = _pair(name, "window", window)
            check_window(name, self.window, self.strides, padding)
        self.padding = padding  # type: ignore[assignment]
        self.footprint = None if footprint is None else _as_footprint(name, footprint, self.window)
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b
        self.negative_control = negative_control
        if not negative_control:
            _check_turns(self)

    def __repr__(self) -> str:
        group = repr(self.group.name) if self.group.name else repr(self.group)
        return super().__repr__().replace(f"({self.group!r}, ", f"({group}, ", 1)


class Tiling(NamedTuple):
    """How the windows of a layer lie on images of one size; all of it static.

    Attributes:
        frame: sizes of the window in which the filter is turned.
        moved: index in the frame of each offset turned by each element, shape (|G|, |S|).
        margins: rows and columns added before and after.
        padded: sizes with the margins.
        sites: sizes of the output.
        closed: whether the group maps the footprint to itself.
        symmetric: whether it also maps the windows on the image to one another.
    """

    frame: tuple[int, int]
    moved: np.ndarray
    margins: list[tuple[int, int]]
    padded: tuple[int, int]
    sites: tuple[int, int]
    closed: bool
    symmetric: bool


def tiling(layer: AbstractPlanar, size: Shape) -> Tiling:
    """Where the layer's windows lie on images of `size` = (height, width).

    Raises:
        ValueError: they do not fit, or the group does not map them to one another.
    """
    whole = layer.window == "all"
    window = size if layer.window == "all" else layer.window
    frame, mask = _frame(layer.group, window, layer.footprint)
    padding = "VALID" if whole else layer.padding
    margins = window_margins(size, frame, layer.strides, padding)
    fault = _fault(layer, size, frame, margins, padding)
    if fault and not layer.negative_control:
        raise ValueError(fault)
    sites = window_output(layer, size, frame, layer.strides, padding)
    padded = tuple(n + low + high for n, (low, high) in zip(size, margins, strict=True))
    moved = pixel_permutation(layer.group, *frame)[:, np.flatnonzero(mask)]
    return Tiling(frame, moved, margins, padded, sites, bool(mask.ravel()[moved].all()), not fault)  # type: ignore


def offsets(layer: AbstractPlanar, size: Shape) -> int:
    """Number of offsets that carry weights, on images of `size`."""
    if layer.footprint is not None:
        return int(np.sum(layer.footprint))
    return math.prod(size if layer.window == "all" else layer.window)


def turned_filters(tiles: Tiling) -> np.ndarray:
    """Which offset's weight stands at [g, place in the frame], or |S| where there is none."""
    order, count = tiles.moved.shape
    source = np.full((order, math.prod(tiles.frame)), count)
    np.put_along_axis(source, tiles.moved, np.arange(count)[None], axis=1)
    return source


def as_point_group(owner: str, group: Any) -> PointGroup:
    """The point group of this name."""
    if isinstance(group, str):
        return point_group(group)
    if not isinstance(group, PointGroup):
        raise TypeError(
            f"{owner}: expected a group of rotations and flips such as 'C4' or point_group('C4'), got {group!r}; "
            "use ActionLift and RegularConv for other groups."
        )
    return group


def check_over_group(owner: object, group: Any, sites: Shape, axes: int) -> None:
    """Raise unless `sites` are (|G|, ...) with `axes` axes."""
    if len(sites) != axes or sites[0] != group.order:
        expected = f"({group.order}, height, width)" if axes == 3 else f"({group.order},)"
        raise ValueError(
            f"{type(owner).__name__} acts on functions over {group}, so expected sites {expected}, got {tuple(sites)}; "
            "lift the input to the group first."
        )


def _pair(owner: str, name: str, sizes: Any) -> tuple[int, int]:
    values = as_sizes(owner, name, (sizes, sizes) if isinstance(sizes, int) else sizes)
    if len(values) != 2:
        raise ValueError(f"{owner}: expected {name} to be one integer or two, got {sizes!r}.")
    return values


def _as_footprint(owner: str, footprint: Any, window: Window) -> Footprint:
    mask = np.asarray(footprint)
    if mask.shape != window or not mask.any() or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"{owner}: expected footprint to be true or false for each place of the window {window}, and true "
            f"somewhere, got {mask.dtype} of shape {mask.shape}."
        )
    return tuple(tuple(bool(entry) for entry in row) for row in mask)


def _frame(group: PointGroup, window: Shape, footprint: Footprint | None) -> tuple[Shape, np.ndarray]:
    """The window, made square where the group needs that, and the places in it that carry weights."""
    mask = np.ones(window, bool) if footprint is None else np.asarray(footprint)
    if group.swaps_axes and window[0] != window[1]:
        side = max(window)
        mask = np.pad(mask, [(0, side - n) for n in window])
    return mask.shape, mask


def _check_turns(layer: AbstractPlanar) -> None:
    name, group = type(layer).__name__, layer.group
    allow = "or allow it with negative_control=True"
    if group.swaps_axes and layer.strides[0] != layer.strides[1]:
        raise ValueError(
            f"{name}: expected equal strides, as {group} maps rows to columns, got {layer.strides}; {allow}."
        )
    if layer.window == "all":
        return
    if group.swaps_axes and layer.window[0] != layer.window[1]:
        raise ValueError(
            f"{name}: expected a square window, as {group} maps rows to columns, got {layer.window}; {allow}."
        )
    frame, mask = _frame(group, layer.window, layer.footprint)
    for g, places in enumerate(pixel_permutation(group, *frame)[:, np.flatnonzero(mask)]):
        if not mask.ravel()[places].all():
            raise ValueError(
                f"{name}: expected a footprint closed under {group}, got one that {group.labels[g]} moves; add the "
                f"places it moves to, {allow}."
            )


def _fault(layer: AbstractPlanar, size: Shape, frame: Shape, margins: list[tuple[int, int]], padding: str) -> str:
    """Why the group does not map the windows on an image of this size to one another; empty if it does."""
    name, group = type(layer).__name__, layer.group
    if group.swaps_axes and size[0] != size[1]:
        return (
            f"{name} expected square images, as {group} maps rows to columns, got {size[0]} x {size[1]}; crop or pad "
            "them."
        )
    for axis in np.flatnonzero((group.matrices.diagonal(axis1=1, axis2=2) != 1).any(0)):
        (low, high), step, n, w = margins[axis], layer.strides[axis], size[axis], frame[axis]
        if padding == "CIRCULAR" and n % step:
            return f"{name} expected strides that divide the torus, got stride {step} on {n} sites; use another."
        left = (n + low + high - w) % step
        if low != high or left:
            return (
                f"{name} expected windows that lie symmetrically on the image, as {group} turns it, got window {w}, "
                f"stride {step}, padding {padding!r} on {n} sites: margins {low} and {high}, {left} left over; use an "
                "odd window, padding='VALID' or another stride."
            )
    return ""
