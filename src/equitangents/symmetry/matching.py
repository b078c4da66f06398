"""At which time and ridge an equivariant network predicts what an augmented one does."""

from typing import NamedTuple

from .checks import check_count


class Match(NamedTuple):
    """Factors from training on augmented data to training an equivariant network.

    Attributes:
        time: of the training time, or of the learning rate at a fixed number of steps.
        ridge: of the ridge.
    """

    time: float
    ridge: float


def match_learning_rate(loss: str, order: int) -> Match:
    r"""Factors (time, ridge) that make equivariant training on n examples equal training on their |G| n images.

    The mean over initialisations of an infinitely wide network trained on full orbits until t with ridge $\lambda$
    is that of the group-averaged kernel, hence of the equivariant network, trained on the n examples until
    `time * t` with ridge `ridge * lambda`. On targets that are constant over orbits the augmented Gram matrix acts as
    |G| times the averaged one: time = |G| for "sum"; for "mean", which divides by |G| n instead of n, time = 1. The
    ridge, in the convention of `GradientFlow`, is divided by |G| in both. At t = inf without ridge nothing needs
    matching.

    Assumes squared loss, gradient flow (or descent, in learning rates), full orbits, a kernel that is jointly
    invariant, and an equivariant network that pools by the mean over the group with at most a linear layer after it.
    Means only: covariances differ by the violation, see `violation_variance`.

    Args:
        loss: "sum" or "mean".
        order: |G|, at least 1.

    Raises:
        ValueError: another loss, or an order below 1.
        TypeError: an order that is no integer.

    >>> match_learning_rate("sum", 4)
    Match(time=4.0, ridge=0.25)
    """
    if loss not in ("sum", "mean"):
        raise ValueError(f'expected loss="sum" or loss="mean"; got {loss!r}; see GradientFlow.')
    check_count("order", order)
    return Match(float(order) if loss == "sum" else 1.0, 1 / order)
