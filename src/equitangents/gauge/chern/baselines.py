"""What gauge equivariant networks are compared with: convolutions of links, sets of eigenvalues, the solution."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ...nets import AbstractLayer, Conv, Dense, Relu, Serial
from ...nets.base import Params, Shape
from ..links import Links, dagger
from ..loops import plaquette
from .data import ChernData
from .network import chern_network
from .train import ChernTraining

NETWORKS = ("gebl", "cnn", "deep-spec", "exact")


class LinkEntries(AbstractLayer):
    """Links (*sites, D, N, N) as real channels, (*sites, 2 D N^2): what a network sees that knows of no gauge."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-3], 2 * shape[-3] * shape[-2] * shape[-1]), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.concatenate([part.reshape(*x.shape[:-3], -1) for part in (x.real, x.imag)], axis=-1)


class Spectrum(AbstractLayer):
    r"""$(\cos\theta_n, \sin\theta_n)$ of the eigenphases of each plaquette of two dimensions, (*sites, N, 2).

    Eigenvalues have no derivative here: it is a first layer.
    """

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-3], shape[-1], 2), {}

    def apply(self, params: Params, x: Array) -> Array:
        w = jnp.asarray(plaquette(Links(x, f"U({x.shape[-1]})"), 0, 1))
        values = w[..., 0] if w.shape[-1] == 1 else jnp.linalg.eigvals(w)
        return jnp.stack([values.real, values.imag], axis=-1)


class SumOverSet(AbstractLayer):
    """The sum over the last axis of sites, (*sites, N, channels) to (*sites, channels)."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-2], shape[-1]), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.sum(x, axis=-2)


class PhaseSum(AbstractLayer):
    r"""$\frac{1}{2\pi} \sum_n \theta_n$ of what `Spectrum` gives, (*sites, 1).

    Attributes:
        wrapped: the sum is taken to (-pi, pi] first, which makes it the phase of the determinant.
    """

    wrapped: bool = eqx.field(static=True, default=False)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-2], 1), {}

    def apply(self, params: Params, x: Array) -> Array:
        total = jnp.sum(jnp.arctan2(x[..., 1], x[..., 0]), axis=-1, keepdims=True)
        if self.wrapped:
            total = jnp.arctan2(jnp.sin(total), jnp.cos(total))
        return total / (2 * np.pi)


def exact_network(label: str) -> Serial:
    """The network whose outputs are the fluxes: nothing in it is trained."""
    return Serial(Spectrum(), PhaseSum(label == "det"))


def deep_spec(widths: tuple[int, ...]) -> Serial:
    """A function of each eigenvalue, their sum, and a function of it: any class function of a plaquette."""
    inner = [layer for width in widths for layer in (Dense(width, sigma_w=2**0.5, sigma_b=0.5), Relu())]
    outer = [Dense(widths[-1], sigma_w=2**0.5, sigma_b=0.5), Relu(), Dense(1, sigma_b=0.5)]
    return Serial(Spectrum(), *inner, SumOverSet(), *outer)


def link_cnn(widths: tuple[int, ...]) -> Serial:
    """3 x 3 convolutions of link entries with periodic boundaries."""
    hidden = [
        layer
        for width in widths
        for layer in (Conv(width, (3, 3), padding="CIRCULAR", sigma_w=2**0.5, sigma_b=0.5), Relu())
    ]
    return Serial(LinkEntries(), *hidden, Conv(1, (1, 1), sigma_b=0.5))


@dataclass(frozen=True)
class NetworkTraining(ChernTraining):
    """A training of one of `NETWORKS`: `channels` are the widths of its hidden layers."""

    network: str = "gebl"

    def __post_init__(self):
        super().__post_init__()
        if self.network not in NETWORKS:
            raise ValueError(f"expected a network {', '.join(NETWORKS)}, got {self.network!r}; choose one.")

    def net(self) -> Any:
        if self.network == "gebl":
            return chern_network(self.channels, norm=self.norm, reach=self.reach)
        if self.network == "exact":
            return exact_network(self.data.label)
        return (deep_spec if self.network == "deep-spec" else link_cnn)(self.channels)


@dataclass(frozen=True)
class AxialData(ChernData):
    """The same links in one gauge, `axial`."""

    def draw(self, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        links, chern = super().draw(seed, number)
        return axial(links), chern


def axial(links: np.ndarray) -> np.ndarray:
    r"""The gauge in which $U_y = 1$ except on the last sites in y, and $U_x = 1$ on the first ones, except the last.

    Args:
        links: (batch, nx, ny, 2, N, N).

    Returns:
        The same shape; unique up to one matrix for the whole lattice.
    """
    nx, ny, n = links.shape[1], links.shape[2], links.shape[-1]
    omega = np.broadcast_to(np.eye(n, dtype=links.dtype), (len(links), nx, ny, n, n)).copy()
    for x in range(nx - 1):
        omega[:, x + 1, 0] = dagger(links[:, x, 0, 0]) @ omega[:, x, 0]
    for y in range(ny - 1):
        omega[:, :, y + 1] = dagger(links[:, :, y, 1]) @ omega[:, :, y]
    moved = [dagger(omega) @ links[:, :, :, mu] @ np.roll(omega, -1, 1 + mu) for mu in range(2)]
    return np.stack(moved, axis=3)
