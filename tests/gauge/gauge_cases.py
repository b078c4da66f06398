"""The fields that every law of lattice gauge theory is tested on: NumPy arrays, so that nothing needs compiling."""

import jax.random as jr
import numpy as np
import scipy.stats

from equitangents.gauge import Links

FIELDS = {
    "U(1) in 2 dimensions": ("U(1)", (4, 3), ()),
    "U(3) in 2 dimensions, batch": ("U(3)", (3, 4), (2,)),
    "SU(2) in 3 dimensions": ("SU(2)", (3, 2, 4), ()),
    "SU(3) in 4 dimensions": ("SU(3)", (2, 3, 2, 2), ()),
    "U(2) on a ring": ("U(2)", (5,), ()),
}
PLANAR = {name: case for name, case in FIELDS.items() if len(case[1]) > 1}


def matrices(group, shape, key):
    """Random elements of a group, from SciPy."""
    n, seed = int(group.strip("SU()")), int(jr.randint(key, (), 0, 2**31 - 1))
    count = int(np.prod(shape))
    if n == 1:  # SciPy 1.12 refuses it
        return np.exp(2j * np.pi * np.random.default_rng(seed).random((*shape, 1, 1)))
    u = scipy.stats.unitary_group.rvs(n, size=count, random_state=seed).reshape(*shape, n, n)
    return u / np.linalg.det(u)[..., None, None] ** (1 / n) if group[0] == "S" else u


def draw_links(group, sites, batch, key):
    return Links(matrices(group, (*batch, *sites, len(sites)), key), group)


def draw_gauge(links, key):
    return matrices(links.group, (*links.batch, *links.sites), key)


def close(a, b, tolerance=1e-12):
    return a.shape == b.shape and np.abs(np.asarray(a) - np.asarray(b)).max() < tolerance
