"""Components of tensors that a symmetry makes equal are stored, and computed, once."""

from typing import NamedTuple

import numpy as np

from .tensors import tensor


class Orbits(NamedTuple):
    """Components of one tensor over m samples, up to its symmetries.

    Attributes:
        representatives: (number, slots) samples of one component of each orbit.
        of: (m, ..., m) which orbit a component belongs to; -1 for one that is left out.
    """

    representatives: np.ndarray
    of: np.ndarray


def orbits(name: str, samples: int, distinct: int) -> Orbits:
    """The distinct components that have at most `distinct` different samples.

    >>> [len(orbits(name, 2, 4).representatives) for name in ("K", "V", "Q")]
    [3, 6, 16]
    """
    slots = tensor(name).slots
    components = np.indices((samples,) * slots).reshape(slots, -1).T
    place = samples ** np.arange(slots)[::-1]
    least = np.min([components[:, list(p)] @ place for p in tensor(name).symmetries], axis=0)
    codes, of = np.unique(least, return_inverse=True)
    found = components[codes]
    ordered = np.sort(found, axis=1)
    kept = 1 + np.sum(ordered[:, 1:] != ordered[:, :-1], axis=1) <= distinct
    place_of = np.where(kept, np.cumsum(kept) - 1, -1)
    return Orbits(found[kept], place_of[of].reshape((samples,) * slots))
