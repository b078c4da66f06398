"""One tile of a Gram matrix: a pure function of a description and two batches, the same bits whoever calls it."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..groups import image_action, point_group
from ..kernels import nngp, nngp_and_ntk, ntk
from ..nets import AbstractLayer, Flatten, Serial
from ..numerics.precision import double, single
from ..symmetry import group_average

KERNELS = ("nngp", "ntk")


@dataclass(frozen=True)
class GramSpec:
    r"""Which kernels are computed.

    Attributes:
        net: the description of the network.
        kernels: "ntk", "nngp" or both.
        average: a group of images, such as "C4", over which the second argument is averaged,
            $|G|^{-1} \sum_g k(x_1, \rho(g) x_2)$; empty for none.

    Raises:
        ValueError: no such kernel, or no such group.

    >>> from equitangents import Dense, Relu
    >>> spec = GramSpec(Serial(Dense(1), Relu(), Dense(1)))
    >>> [round(float(k[0, 1]), 3) for k in gram_tile(spec, np.eye(2), np.eye(2))]
    [0.08]
    """

    net: AbstractLayer
    kernels: tuple[str, ...] = ("ntk",)
    average: str = ""

    def __post_init__(self) -> None:
        if not self.kernels or set(self.kernels) - set(KERNELS):
            raise ValueError(f"expected kernels out of {KERNELS}, got {self.kernels}; choose one or both.")
        if self.average:
            point_group(self.average)

    def text(self) -> dict[str, object]:
        """What it is, as JSON can write it; two descriptions that compute different kernels differ here."""
        return {"net": repr(self.net), "kernels": list(self.kernels), "average": self.average}


def gram_tile(spec: GramSpec, x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, ...]:
    """The kernels of `spec` between two batches, in their precision.

    The compiled program depends on the shapes, and the last bits may depend on the program: whoever wants the same
    bits asks for the same shapes, on processors of one kind.

    Args:
        spec: which kernels.
        x1: (n1, *sites, channels), float32 or float64.
        x2: (n2, *sites, channels).

    Returns:
        For each of `spec.kernels` in order, shape (n1, n2).

    Raises:
        TypeError, ValueError: as for `ntk`; also an average that is not symmetric, see `check_inputs`.
    """
    with double() if x1.dtype == np.float64 else single():
        if spec.average:

            def plain(a: Array, b: Array) -> tuple[Array, Array]:
                net, vectors = without_flatten(spec.net, a, b)
                return nngp_and_ntk(net, *vectors)

            averaged = group_average(plain, image_action(point_group(spec.average)))
            found = dict(zip(KERNELS, averaged(x1, x2), strict=True))
        else:
            net, vectors = without_flatten(spec.net, x1, x2)
            a, b = (jnp.asarray(x) for x in vectors)
            if len(spec.kernels) == 2:
                found = dict(zip(KERNELS, nngp_and_ntk(net, a, b), strict=True))
            else:
                found = {spec.kernels[0]: {"nngp": nngp, "ntk": ntk}[spec.kernels[0]](net, a, b)}
        return tuple(np.asarray(found[name]) for name in spec.kernels)


def without_flatten(net: AbstractLayer, *xs: Any) -> tuple[AbstractLayer, tuple[Any, ...]]:
    """The same kernel of vectors: a first `Flatten` would hold the covariances of all sites one by one."""
    if not (isinstance(net, Serial) and len(net.layers) > 1 and isinstance(net.layers[0], Flatten)):
        return net, xs
    return Serial(*net.layers[1:]), tuple(x.reshape(len(x), math.prod(x.shape[1:])) for x in xs)


def check_inputs(spec: GramSpec, x: np.ndarray) -> None:
    r"""Raise unless the network takes such inputs, and the average is a symmetric function.

    It is where $k(\rho(g) x_1, \rho(g) x_2) = k(x_1, x_2)$, as for dense networks under rotations of the image, and
    convolutions whose window the group maps to itself.
    """
    for matrix in gram_tile(spec, x, x):
        off = np.abs(matrix - matrix.T).max() / np.abs(matrix).max()
        if off > 1e-4:
            raise ValueError(
                f"expected a kernel that {spec.average} leaves as it is, so that its average over one argument is "
                f"symmetric; got one that differs from its transpose by {off:.1e}. Use windows that the group maps to "
                "themselves, or a smaller group."
            )
