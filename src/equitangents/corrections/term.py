r"""What a layer recursion is made of: coefficient * C_W^a lambda_W^b r^p * Theta's * older tensors * Gaussian means.

The wanted tensor's indices are slots 0, 1, 2, ...; all else is labelled by them, and no summed index remains. `r` is
the ratio of widths n_l / n_{l-1}; C_W, lambda_W and the constant are of the new layer l+1, all else is of layer l.
"""

from fractions import Fraction
from typing import NamedTuple

Factor = tuple[int, int]  # (slot, order): the derivative sigma^(order) at z_slot
Blob = tuple[Factor, ...]  # sorted: one mean < product of sigma^(order)(z_slot) >_K over one neuron


class Term(NamedTuple):
    r"""One summand of a recursion.

    Attributes:
        coefficient: the number in front.
        c_w, lambda_w: powers of C_W and lambda_W of the new layer.
        ratio: power of r = n_l / n_{l-1}.
        thetas: factors Theta_{ab} of the old layer, as sorted pairs of slots.
        tensors: other tensors of the old layer with their slots, e.g. (("V", (0, 0, 1, 1)),); at order 1/n at most one.
        blobs: the Gaussian means.
    """

    coefficient: Fraction
    c_w: int
    lambda_w: int
    ratio: int
    thetas: tuple[tuple[int, int], ...]
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    blobs: tuple[Blob, ...]

    def __str__(self) -> str:
        from .show import text

        return text(self)


class Recursion(NamedTuple):
    """How one tensor of layer l+1 follows from those of layer l.

    Attributes:
        name: "K", "Theta", "G1", "H1", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U", "V6", or the key of a
            contraction forest with its pairing.
        slots: how many indices it has.
        constant: "C_b" for K, "lambda_b" for Theta, else None; added to the sum of the terms.
        terms: the summands, sorted, no two alike but for the coefficient.
    """

    name: str
    slots: int
    constant: str | None
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        from .show import text  # which is about these values

        return text(self)
