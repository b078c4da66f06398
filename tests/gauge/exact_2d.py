"""Exact results of lattice gauge theory in two dimensions, from integrals over the maximal torus (Weyl)."""

import itertools

import numpy as np


def torus(group, points):
    """Eigenphases (points^rank, N) of a grid over the maximal torus and the Haar weight of each, summing to 1."""
    n = int(group.strip("SU()"))
    special = group[0] == "S"
    grid = 2 * np.pi * np.arange(points) / points
    theta = np.stack(np.meshgrid(*[grid] * (n - special), indexing="ij"), -1).reshape(-1, n - special)
    if special:
        theta = np.concatenate([theta, -theta.sum(1, keepdims=True)], 1)
    z = np.exp(1j * theta)
    weight = np.prod([np.abs(z[:, i] - z[:, j]) ** 2 for i, j in itertools.combinations(range(n), 2)], axis=0)
    weight = np.broadcast_to(weight, len(z))
    return z, weight / weight.sum()


def irreps(group, largest):
    """Highest weights: for SU(N) partitions with N - 1 rows, for U(N) any falling integers, up to a size."""
    n = int(group.strip("SU()"))
    if group[0] == "S":
        rows = itertools.product(range(largest + 1), repeat=n - 1)
        return [(*row, 0) for row in rows if all(a >= b for a, b in itertools.pairwise(row))]
    rows = itertools.product(range(-largest, largest + 1), repeat=n)
    return [row for row in rows if all(a >= b for a, b in itertools.pairwise(row))]


def character(z, weight):
    """Schur's polynomial as a determinant of complete symmetric functions (Jacobi and Trudi)."""
    n = z.shape[1]
    shifted = np.array(weight) - weight[-1]
    h = np.zeros((shifted[0] + n, len(z)), complex)  # complete symmetric functions h_0, h_1, ...
    h[0] = 1
    for i in range(n):
        for k in range(1, len(h)):
            h[k] += z[:, i] * h[k - 1]
    minors = [[h[s - i + j] if 0 <= s - i + j < len(h) else 0 * h[0] for j in range(n)] for i, s in enumerate(shifted)]
    return np.linalg.det(np.moveaxis(np.array(minors), -1, 0)) * np.prod(z, 1) ** weight[-1]


def coefficients(group, beta, points=48, largest=10):
    """For each irrep r: c_r / d_r of exp(beta Re tr U / N), and its derivative by beta."""
    z, weight = torus(group, points)
    trace = z.sum(1).real / z.shape[1]
    boltzmann = weight * np.exp(beta * trace)
    one = np.ones((1, z.shape[1]), complex)
    chi = [(character(z, r).conj(), character(one, r)[0].real) for r in irreps(group, largest)]
    return np.array([(np.sum(c * boltzmann).real / d, np.sum(c * trace * boltzmann).real / d) for c, d in chi]).T


def average_plaquette(group, beta, area):
    """<Re tr W / N> on a torus of `area` plaquettes: Z = sum_r (c_r / d_r)^area (Migdal)."""
    c, slope = coefficients(group, beta)
    powers = (c / c.max()) ** (area - 1)
    return np.sum(powers * slope) / np.sum(powers * c)
