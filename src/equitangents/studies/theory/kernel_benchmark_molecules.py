r"""Molecules: kernels of a sum over atoms of spherical networks.

Each heavy atom (not hydrogen) sees the density of all other atoms as a signal on a sphere; a network of its element's
own, shared by all atoms of that element, gives a number, and the output is the sum. So
$K(M, M') = \sum_{i \in M, j \in M', z_i = z_j} k(s_i, s_j)$, with k averaged over SO(3) (`RotationPool`), over a finite
group, or not at all. Hydrogens are seen by the others and need no network.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ...data import Molecules
from ...nets import AbstractLayer, Dense, Erf, Flatten, Serial
from ...sphere import (
    SO3,
    RotationConv,
    RotationLift,
    RotationPool,
    euler_angles,
    random_rotations,
    spherical_densities,
    wigner_real,
)
from ..precision import double, matrices

CENTRES = (6, 7, 8, 9)
ELEMENTS = (1, *CENTRES)
BIAS = 0.3


def pooled_net(order: int) -> AbstractLayer:
    """Two hidden layers of erf over SO(3), averaged: an invariant output."""
    group = SO3(order)
    lift = RotationLift(group, 1, sigma_b=BIAS)
    return Serial(lift, Erf(), RotationConv(group, 1, sigma_b=BIAS), Erf(), RotationPool(group), Dense(1))


def plain_net(lmax: int) -> AbstractLayer:
    """The same without rotations: its kernel is the one above at Q = 1. A lift divides by 4 pi, not by coefficients."""
    scale = ((lmax + 1) ** 2 / (4 * np.pi)) ** 0.5
    return Serial(Flatten(), Dense(1, sigma_w=scale, sigma_b=BIAS), Erf(), Dense(1, sigma_b=BIAS), Erf(), Dense(1))


class Atoms(NamedTuple):
    """Signals of all centres of one element: (atoms, coefficients, channels), and which molecule each is in."""

    signals: np.ndarray
    owner: np.ndarray


class Batch(NamedTuple):
    """Molecules as their atoms, by element; `size` molecules."""

    atoms: tuple[Atoms, ...]
    size: int


def signals(molecules: Molecules, lmax: int, scale: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Signals of all places, (n, atoms, coefficients, channels), in float64, and the scale of each channel.

    The scale makes the mean square of each channel over heavy atoms and directions 1; rotations do not change it.
    """
    with double():
        densities = jax.jit(jax.vmap(lambda p, z: spherical_densities(p, z, lmax, ELEMENTS)))
        f = np.asarray(densities(jnp.asarray(molecules.positions), jnp.asarray(molecules.charges)))
    if scale is None:
        heavy = f[molecules.charges > 1]
        scale = np.sqrt(np.mean(np.sum(heavy**2, axis=1), axis=0) / (4 * np.pi))
        scale = np.where(scale > 0, scale, 1.0)
    return f / scale, scale


def batch(f: np.ndarray, charges: np.ndarray) -> Batch:
    """Signals (n, atoms, coefficients, channels) sorted by the element of their centre."""
    parts = []
    for z in CENTRES:
        owner, place = np.nonzero(charges == z)
        parts.append(Atoms(f[owner, place], owner))
    return Batch(tuple(parts), len(charges))


def between(net: AbstractLayer, first: Batch, second: Batch, tile: int) -> np.ndarray:
    """NNGP and NTK of molecules, (2, first.size, second.size), from tiles of so many atoms on each side."""
    total = np.zeros((2, first.size, second.size))
    for one, two in zip(first.atoms, second.atoms, strict=True):
        for rows in tiles(len(one.owner), tile):
            for columns in tiles(len(two.owner), tile):
                pair = (side.signals[np.resize(part, tile)] for side, part in ((one, rows), (two, columns)))
                k = np.stack(matrices(net, *pair))[:, : len(rows), : len(columns)]  # of one shape: compiled once
                left, k = summed(k, one.owner[rows], 1)
                right, k = summed(k, two.owner[columns], 2)
                total[:, left[:, None], right[None, :]] += k
    return total


def tiles(n: int, tile: int) -> list[np.ndarray]:
    """Indices up to n, so many at a time."""
    return [np.arange(low, min(low + tile, n)) for low in range(0, n, tile)]


def summed(k: np.ndarray, owner: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The molecules that own these atoms, which stand in their order, and the sums of k over the atoms of each."""
    there, starts = np.unique(owner, return_index=True)
    return there, np.add.reduceat(k.astype(np.float64), starts, axis=axis)


def averaged(
    net: AbstractLayer, first: Batch, f: np.ndarray, charges: np.ndarray, rotations: np.ndarray, tile: int
) -> np.ndarray:
    r"""$\frac1{|A|} \sum_h K(M, h M')$ over rotations of a finite group: what training on all of them amounts to."""
    moved = (batch(turned(f, np.broadcast_to(h, (len(f), 3, 3))), charges) for h in rotations)
    return functools.reduce(np.add, (between(net, first, one, tile) for one in moved)) / len(rotations)


def turned(f: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Signals of molecule i, (n, atoms, coefficients, channels), turned by the i-th matrix of (n, 3, 3)."""
    angles = euler_angles(rotations)
    parts = [
        np.einsum("nij,najc->naic", wigner_real(l, *angles), f[:, :, l * l : (l + 1) ** 2])
        for l in range(math.isqrt(f.shape[2]))
    ]
    return np.concatenate(parts, axis=2)


def haar(seed: list[int], n: int) -> np.ndarray:
    """Independent uniform rotations, (n, 3, 3), in float64."""
    with double():
        key = jr.key(int(np.random.default_rng(seed).integers(2**31)))
        return np.asarray(random_rotations(key, n))
