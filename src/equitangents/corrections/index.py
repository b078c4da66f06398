"""Components of tensors that a symmetry makes equal are stored, and computed, once."""

from typing import NamedTuple

import numpy as np

from .tensors import tensor


class Orbits(NamedTuple):
    """Components of one tensor over m samples, up to its symmetries.

    Attributes:
        representatives: (number, slots) samples of one component of each orbit.
        of: (m, ..., m) which orbit a component belongs to.
    """

    representatives: np.ndarray
    of: np.ndarray


def orbits(name: str, samples: int) -> Orbits:
    """The distinct components.

    >>> [len(orbits(name, 2).representatives) for name in ("K", "V", "Q")]
    [3, 6, 16]
    """
    slots = tensor(name).slots
    components = np.indices((samples,) * slots).reshape(slots, -1).T
    place = samples ** np.arange(slots)[::-1]
    least = np.min([components[:, list(p)] @ place for p in tensor(name).symmetries], axis=0)
    codes, of = np.unique(least, return_inverse=True)
    return Orbits(components[codes], of.reshape((samples,) * slots))
