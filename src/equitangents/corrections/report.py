"""From which width on the limit of infinite width can be trusted: `print(finite_width_report(net, x))`."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array

from ..nets import AbstractLayer
from .expand import expand
from .moments import Moments


class FiniteWidthReport(NamedTuple):
    r"""Sizes of the corrections in 1/n at the outputs, the largest over the inputs; n is the width before them.

    Attributes:
        width: n.
        depth_to_width: $\sum_\ell 1/n_\ell$ over the hidden layers, the expansion parameter of a critical network: far
            below 1 for the expansion to hold.
        nngp_shift, ntk_shift: $|G_1| / (n K)$ and $|H_1| / (n \Theta)$ of one input with itself.
        nngp_variance, ntk_variance: $V / (n K^2)$ and $(A + 2B) / (n \Theta^2)$, squares of relative deviations between
            networks.
        accuracy: that was asked for, relative.
        width_for_means: from which both kernels, averaged over networks, are those of the limit within `accuracy`.
        width_for_one: from which those of a single network are, within one standard deviation.
        quadrature: estimated error of the tensors, the largest of any layer, relative.
    """

    width: int
    depth_to_width: float
    nngp_shift: float
    ntk_shift: float
    nngp_variance: float
    ntk_variance: float
    accuracy: float
    width_for_means: int
    width_for_one: int
    quadrature: float = 0.0

    @property
    def known(self) -> bool:
        """Whether the quadrature is as accurate as what is asked for."""
        return self.quadrature <= self.accuracy

    @property
    def holds(self) -> bool:
        """Whether the tensors are known, and both variances so small that the order 1/n is enough."""
        return self.known and max(self.nngp_variance, self.ntk_variance) < 0.1

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "is doubtful, as networks deviate by 30 % from one another or more"
        if not self.known:
            verdict = f"is not known, as the quadrature is off by up to {self.quadrature:.1g}: scale the inputs down"
        return (
            f"width {self.width}, depth to width {self.depth_to_width:.3g}: the expansion in 1/width {verdict}\n"
            f"mean over networks, relative to the limit:  NNGP {self.nngp_shift:8.2%}  NTK {self.ntk_shift:8.2%}\n"
            f"deviation between networks, relative:       NNGP {math.sqrt(self.nngp_variance):8.2%}  "
            f"NTK {math.sqrt(self.ntk_variance):8.2%}\n"
            f"for an accuracy of {self.accuracy:.3g}: width {self.width_for_means} for means, "
            f"{self.width_for_one} for each network"
        )


def finite_width_report(net: AbstractLayer, x: Array, accuracy: float = 0.05) -> FiniteWidthReport:
    """How far networks of this width are from the limit, and from which width on they are near it.

    To leading order in 1/width; where the report finds the expansion doubtful, sample (`sample_tensors`). Other widths
    are reached by scaling all hidden layers alike.

    Args:
        net, x: as `expand` takes them.
        accuracy: relative, positive.

    Raises:
        TypeError, ValueError: as `expand`; an accuracy that is not positive.
    """
    check_accuracy(accuracy)
    return report_of(expand(net, x), accuracy)


def report_of(layers: tuple[Moments, ...], accuracy: float = 0.05) -> FiniteWidthReport:
    """The report of what `expand` found."""
    check_accuracy(accuracy)
    n, sizes = layers[-1].width, relative_sizes(layers[-1])
    shifts = [float(np.max(size)) for size in sizes[:2]]
    variances = [float(np.max(size)) for size in sizes[2:]]
    errors = [float(error) for found in layers for error in found.errors.values()]
    return FiniteWidthReport(
        width=n,
        depth_to_width=sum(1 / found.width for found in layers[1:]),
        nngp_shift=shifts[0] / n,
        ntk_shift=shifts[1] / n,
        nngp_variance=variances[0] / n,
        ntk_variance=variances[1] / n,
        accuracy=accuracy,
        width_for_means=max(1, math.ceil((1 - 1e-9) * max(shifts) / accuracy)),
        width_for_one=max(1, math.ceil((1 - 1e-9) * max(variances) / accuracy**2)),
        quadrature=max(errors, default=0.0),
    )


class RelativeSizes(NamedTuple):
    r"""$|G_1|/K$, $|H_1|/\Theta$, $V/K^2$ and $(A + 2B)/\Theta^2$ of each input (and site) with itself, (m,) each.

    0 where the kernel itself is 0: of an input of zeros, or where nothing is trained.
    """

    nngp_shift: np.ndarray
    ntk_shift: np.ndarray
    nngp_variance: np.ndarray
    ntk_variance: np.ndarray


def relative_sizes(found: Moments) -> RelativeSizes:
    """Of one layer."""
    k, theta, g1, h1 = (np.diagonal(np.asarray(a)) for a in (found.K, found.Theta, found.G1, found.H1))
    v, a, b = (np.einsum("aaaa->a", np.asarray(a)) for a in (found.V, found.A, found.B))
    k, theta = (np.where(size > 0, size, np.inf) for size in (k, theta))
    return RelativeSizes(np.abs(g1) / k, np.abs(h1) / theta, v / k**2, (a + 2 * b) / theta**2)


def check_accuracy(accuracy: float) -> None:
    """Raise unless it is positive."""
    if not accuracy > 0:
        raise ValueError(f"expected a positive relative accuracy such as 0.05, got {accuracy!r}.")
