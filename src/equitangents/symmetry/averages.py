"""Kernels averaged over a group: what training on augmented data amounts to."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.regression import as_kernel, evaluate
from ..groups import Action
from .checks import check_action, check_batch

Matrices = tuple[Float[Array, "n1 n2"], Float[Array, "n1 n2"]]


class GroupAverage(eqx.Module):
    """A kernel averaged over a group, as `group_average` makes it; called as (x1, x2=None) -> (nngp, ntk).

    Attributes:
        kernel: the kernel that is averaged.
        action: how the group acts on its inputs.
        sides: 1 or 2.
    """

    kernel: Any
    action: Action = eqx.field(static=True)
    sides: int = eqx.field(static=True)

    def __call__(self, x1: ArrayLike, x2: ArrayLike | None = None) -> Matrices:
        x1 = jnp.asarray(x1)
        x2 = None if x2 is None else jnp.asarray(x2)
        check_batch("x1", self.action, x1)
        if x2 is not None:
            check_batch("x2", self.action, x2)
        return self._one_sided(x1, x2) if self.sides == 1 else self._two_sided(x1, x2)

    def _one_sided(self, x1: Array, x2: Array | None) -> Matrices:
        group = self.action.group
        nngp, ntk = evaluate(self.kernel, x1, x2)
        for g in group.elements:
            if g != group.identity:
                more = evaluate(self.kernel, x1, self.action(g, x1 if x2 is None else x2))
                nngp, ntk = nngp + more[0], ntk + more[1]
        return nngp / group.order, ntk / group.order

    def _two_sided(self, x1: Array, x2: Array | None) -> Matrices:
        group, total = self.action.group, None
        for g in group.elements:
            first = self.action(g, x1)
            for h in group.elements:
                if x2 is None and h < g:  # the transpose of (h, g), added there
                    continue
                second = None if x2 is None and h == g else self.action(h, x1 if x2 is None else x2)
                nngp, ntk = evaluate(self.kernel, first, second)
                if x2 is None and h > g:
                    nngp, ntk = nngp + nngp.T, ntk + ntk.T
                total = (nngp, ntk) if total is None else (total[0] + nngp, total[1] + ntk)
        assert total is not None
        return total[0] / group.order**2, total[1] / group.order**2


def group_average(kernel: Any, action: Action, sides: int = 1) -> GroupAverage:
    r"""The kernel $\frac1{|G|} \sum_g k(x_1, \rho(g) x_2)$, or $\frac1{|G|^2} \sum_{g,h} k(\rho(g) x_1, \rho(h) x_2)$.

    Both agree for kernels that are jointly invariant, $k(\rho(g) x_1, \rho(g) x_2) = k(x_1, x_2)$, as those of dense
    networks under orthogonal actions, or of convolutions whose window the group maps to itself. For others the
    one-sided average is no symmetric function, and `GradientFlow` refuses it.

    The averaged kernels of a dense network are those of a group convolution with global lifting, pooled over the
    group; those of a convolutional network with global pooling are those of the roto-translation group. Training with
    them is training on augmented data, in the mean: `match_learning_rate`.

    One kernel after the other is added up, so memory is that of one. The cost is |G| kernels, or $|G|^2$ (about half
    for x2 = None).

    Args:
        kernel: a description of a network, or any function (x1, x2) -> (nngp, ntk), x2 = None meaning x1.
        action: how the group acts on the inputs.
        sides: 1 or 2.

    Returns:
        A function (x1, x2=None) -> (nngp, ntk) for inputs (n1, *example) and (n2, *example), shape (n1, n2) each; a
        pytree that holds the numbers of the description. `GradientFlow` takes it.

    Raises:
        ValueError: `sides` is neither 1 nor 2; on calling, inputs on which the group does not act.
        TypeError: `kernel` is neither description nor function, or `action` is no Action.

    References:
        Equality with augmentation: Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> linear = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> nngp, ntk = group_average(linear, swap)(jnp.array([[1.0, 0.0], [2.0, 4.0]]))
    >>> ntk.tolist()
    [[0.5, 3.0], [3.0, 18.0]]
    """
    check_action("action", action)
    if sides not in (1, 2):
        raise ValueError(f"expected sides=1 (over the second argument) or sides=2 (over both); got {sides!r}.")
    return GroupAverage(as_kernel(kernel), action, sides)
