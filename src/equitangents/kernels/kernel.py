"""The covariances of one pair of inputs, as they go through a network."""

import math
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AbstractLayer
from ..numerics import as_defect, safe_divide, safe_sqrt


class Kernel(eqx.Module):
    """Covariances and tangent kernel of one pair of inputs, at one place in a network.

    Shapes are those of one pair; the driver adds batch axes by `vmap`. `sites` is the shape of the sites, `pairs`
    stands for `(*sites, *sites)`. A vector has `sites = ()`, where the two agree. Over a group too large for all pairs,
    a covariance that depends on $g h^{-1}$ alone is held as one row: `sites` is (1,), arrays over pairs have shape
    (1, n), and the first column is that of g = h.

    Attributes:
        k11: variance of the first input, of shape `sites`; `pairs` where sites are averaged later; None if not needed.
        k12: covariance of the two inputs, of shape `pairs`, or `sites` if nothing later mixes sites.
        k22: variance of the second input, like k11.
        d: angle defect 1 - k12 / sqrt(k11 k22), like k12, accurate to its own last digit; None if not needed.
        ntk: tangent kernel, like k12.
        sites: shape of the sites.
        gaussian: whether channels are independent centred Gaussians here, as after a layer with weights; nonlinearities
            need that, and raw inputs are not.
        mask1, mask2: of raw inputs before `Masked`: 1 at the sites that count and 0 at the others, of shape `sites`.
        low11, low22: what rounding took from k11 and k22, in single precision; None where a rule does not keep it.
    """

    k11: Array | None
    k12: Array  # left out only between the steps of a scan, where d stands for it
    k22: Array | None
    d: Array | None
    ntk: Array
    sites: tuple[int, ...] = eqx.field(static=True, default=())
    gaussian: bool = eqx.field(static=True, default=False)
    mask1: Array | None = None
    mask2: Array | None = None
    low11: Array | None = None
    low22: Array | None = None

    @property
    def one_row(self) -> bool:
        """Whether of all pairs only the row of one site is held."""
        held = self.d if self.k12 is None else self.k12
        return self.pairs and held is not None and held.size != math.prod(self.sites) ** 2

    @property
    def pairs(self) -> bool:
        """Whether covariances between different sites are held."""
        held = self.d if self.k12 is None else self.k12
        return bool(self.sites) and held is not None and held.ndim == 2 * len(self.sites)


class Needs(eqx.Module):
    """What must be known about a kernel at one place of a network.

    Attributes:
        pairs: covariances k12 and tangent kernel between different sites.
        variances: of each input with itself: not at all, at each site, or between different sites.
        digits: what rounding takes from variances of single precision, too.
        held: how many numbers pairs take here, where one row of them is held, or after the next layer if it makes more;
            None for all pairs of the sites here.
    """

    pairs: bool = eqx.field(static=True)
    variances: Literal["none", "sites", "pairs"] = eqx.field(static=True)
    digits: bool = eqx.field(static=True, default=False)
    held: int | None = eqx.field(static=True, default=None)

    def __or__(self, other: "Needs") -> "Needs":
        order = ("none", "sites", "pairs")
        variances = max(self.variances, other.variances, key=order.index)
        rows = [wanted.held for wanted in (self, other) if wanted.pairs]
        held = None if None in rows else max(rows, default=None)  # type: ignore[type-var]
        return Needs(self.pairs or other.pairs, variances, self.digits or other.digits, held)


def at_sites(k: Array, sites: tuple[int, ...]) -> Array:
    """The diagonal over sites of an array of shape `(*sites, *sites)`; one of shape `sites` is returned as it is."""
    if not sites or k.ndim == len(sites):
        return k
    size = 1
    for n in sites:
        size *= n
    return jnp.diagonal(k.reshape(size, -1)).reshape(sites)


def diagonal(k: Kernel) -> Kernel:
    """The kernel without covariances between different sites of the two inputs."""
    if not k.pairs:
        return k
    d = None if k.d is None else at_sites(k.d, k.sites)
    return Kernel(k.k11, at_sites(k.k12, k.sites), k.k22, d, at_sites(k.ntk, k.sites), k.sites, k.gaussian)


def spread(k11: Array, k22: Array, k: Kernel) -> tuple[Array, Array]:
    """Variances at the sites of each input, shaped so that they broadcast against `k.k12`."""
    k11, k22 = at_sites(k11, k.sites), at_sites(k22, k.sites)
    if k.pairs:
        ones = (1,) * len(k.sites)
        k11, k22 = k11.reshape(*k.sites, *ones), k22.reshape(*ones, *k.sites)
    return k11, k22


def check_all_pairs(layer: AbstractLayer | str, k: Kernel) -> None:
    """Raise where only one row of the pairs of sites is held: `layer` mixes sites in a way that needs all of them."""
    if k.one_row:
        name = layer if isinstance(layer, str) else type(layer).__name__
        raise ValueError(
            f"{name} expected covariances between all sites, got those of a function on a group, which "
            "depend on g h^-1 alone; use Dense, RotationConv, RotationPool or RotationProjection after RotationLift."
        )


def variances_of(layer: AbstractLayer, k: Kernel) -> tuple[Array, Array]:
    """k11 and k22; an error for whoever wrote the rules if they were not kept."""
    if k.k11 is None or k.k22 is None:
        raise ValueError(
            f"{type(layer).__name__} needs variances, which were not kept: expected `needs` of the layers after them "
            "to ask for them; register a rule with @needs.register for the layer that drops them."
        )
    return k.k11, k.k22


def defect_from_covariance(k11: Array, k12: Array, k22: Array) -> Array:
    """1 - k12 / sqrt(k11 k22), clipped to [0, 2]; loses digits where it is small. Zero variances give 0."""
    size = safe_sqrt(k11 * k22)
    return jnp.where(size > 0, as_defect(1 - safe_divide(k12, size)), 0)


def half_distance(k11: Array, k22: Array, d: Array) -> Array:
    """Half the mean square of the difference, (k11 + k22)/2 - k12 = (r1 - r2)^2/2 + r1 r2 d, without cancellation."""
    r1, r2 = safe_sqrt(k11), safe_sqrt(k22)
    return (r1 - r2) ** 2 / 2 + r1 * r2 * d


def defect_from_distance(k11: Array, k22: Array, q: Array) -> Array:
    """The inverse of `half_distance`, clipped to [0, 2]. Zero variances give 0."""
    r1, r2 = safe_sqrt(k11), safe_sqrt(k22)
    apart = safe_divide(k11 - k22, r1 + r2)
    return as_defect(safe_divide(q - apart**2 / 2, r1 * r2))
