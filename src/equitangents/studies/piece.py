"""A piece of work: what it is called, what it is made from, what it costs, and how it is done."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Arrays = dict[str, np.ndarray]
Get = Callable[[str], Arrays]


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of work, done at once and kept as a file.

    Attributes:
        name: of the file, letters, digits and hyphens.
        kind: pieces of one kind cost alike: the seconds of one are measured to foretell the others.
        made_from: everything that determines the result beside the data, for its digest.
        work: from earlier pieces, by name, to arrays.
        amount: how much work it is, in units of its kind.
        needs: names of the earlier pieces it uses.
        arm, model: for the table of timings.
    """

    name: str
    kind: str
    made_from: tuple
    work: Callable[[Get], Arrays]
    amount: float = 1.0
    needs: tuple[str, ...] = ()
    arm: str = ""
    model: str = ""
