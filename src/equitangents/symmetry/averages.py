"""Kernels averaged over a group: what training on augmented data amounts to."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.regression import as_kernel, evaluate
from ..groups import Action
from .transforms import Transforms, as_transforms

Matrices = tuple[Float[Array, "n1 n2"], Float[Array, "n1 n2"]]


class GroupAverage(eqx.Module):
    """A kernel averaged over a group, as `group_average` makes it; called as (x1, x2=None) -> (nngp, ntk).

    Attributes:
        kernel: the kernel that is averaged.
        transforms: the maps of its inputs, with weights.
        sides: 1 or 2.
    """

    kernel: Any
    transforms: Transforms = eqx.field(static=True)
    sides: int = eqx.field(static=True)

    def __call__(self, x1: ArrayLike, x2: ArrayLike | None = None) -> Matrices:
        x1 = jnp.asarray(x1)
        x2 = None if x2 is None else jnp.asarray(x2)
        self.transforms.check("x1", x1)
        if x2 is not None:
            self.transforms.check("x2", x2)
        if self.transforms.together > 1:
            return self._in_chunks(x1, x1 if x2 is None else x2)
        return self._one_sided(x1, x2) if self.sides == 1 else self._two_sided(x1, x2)

    def _in_chunks(self, x1: Array, x2: Array) -> Matrices:
        """Sums over the second argument as one kernel for several maps, for each map of the first."""
        move, total = self.transforms, None
        weights = move.weights.tolist()
        maps = range(len(weights))
        chunks = [maps[i : i + move.together] for i in range(0, len(maps), move.together)]
        moved = [jnp.concatenate([move(b, x2) for b in chunk]) for chunk in chunks]
        left = [(1.0, x1)] if self.sides == 1 else [(weights[a], move(a, x1)) for a in maps]
        for weight, first in left:
            for chunk, second in zip(chunks, moved, strict=True):
                w = jnp.asarray(move.weights[chunk.start : chunk.stop], first.dtype)
                pair = evaluate(self.kernel, first, second)
                nngp, ntk = (jnp.einsum("ibj,b->ij", k.reshape(len(x1), len(chunk), len(x2)), w) for k in pair)
                total = _add(total, weight, (nngp, ntk))
        assert total is not None
        return total

    def _one_sided(self, x1: Array, x2: Array | None) -> Matrices:
        move, total = self.transforms, None
        for b, weight in enumerate(move.weights.tolist()):
            second = x2 if b == move.identity else move(b, x1 if x2 is None else x2)
            total = _add(total, weight, evaluate(self.kernel, x1, second))
        assert total is not None
        return total

    def _two_sided(self, x1: Array, x2: Array | None) -> Matrices:
        move, total = self.transforms, None
        weights = move.weights.tolist()
        for a, left in enumerate(weights):
            first = move(a, x1)
            for b, right in enumerate(weights):
                if x2 is None and b < a:  # the transpose of (b, a), added there
                    continue
                second = None if x2 is None and b == a else move(b, x1 if x2 is None else x2)
                nngp, ntk = evaluate(self.kernel, first, second)
                if x2 is None and b > a:
                    nngp, ntk = nngp + nngp.T, ntk + ntk.T
                total = _add(total, left * right, (nngp, ntk))
        assert total is not None
        return total


def _add(total: Matrices | None, weight: float, term: Matrices) -> Matrices:
    nngp, ntk = weight * term[0], weight * term[1]
    return (nngp, ntk) if total is None else (total[0] + nngp, total[1] + ntk)


def group_average(kernel: Any, action: Action | Transforms, sides: int = 1) -> GroupAverage:
    r"""The kernel $\frac1{|G|} \sum_g k(x_1, \rho(g) x_2)$, or $\frac1{|G|^2} \sum_{g,h} k(\rho(g) x_1, \rho(h) x_2)$.

    Both agree for kernels that are jointly invariant, $k(\rho(g) x_1, \rho(g) x_2) = k(x_1, x_2)$, as those of dense
    networks under orthogonal actions, or of convolutions whose window the group maps to itself. For others the
    one-sided average is no symmetric function, and `GradientFlow` refuses it.

    The averaged kernels of a dense network are those of a group convolution with global lifting, pooled over the
    group; those of a convolutional network with global pooling are those of the roto-translation group. Training with
    them is training on augmented data, in the mean: `match_learning_rate`.

    **Compact groups** are averaged by quadrature, `grid_transforms(design("I"))`, exact up to a stated degree and
    convergent for others; at random, with standard errors, by `sampled_average`. **Partial orbits** are
    `partial_orbit(action, elements)`. **Semigroups**, as `crops`, are averaged over both sides: two independent draws
    for the two arguments, so $\langle E\psi(T x_1), E\psi(T x_2) \rangle$, the kernel of averaged features.

    One kernel after the other is added up, so memory is that of one (of 64 for a quadrature). The cost is |G| kernels,
    or $|G|^2$ (about half for x2 = None).

    Args:
        kernel: a description of a network, or any function (x1, x2) -> (nngp, ntk), x2 = None meaning x1.
        action: how the group acts on the inputs; or maps of them with weights.
        sides: 1 or 2.

    Returns:
        A function (x1, x2=None) -> (nngp, ntk) for inputs (n1, *example) and (n2, *example), shape (n1, n2) each; a
        pytree that holds the numbers of the description. `GradientFlow` takes it.

    Raises:
        ValueError: `sides` is neither 1 nor 2; on calling, inputs on which the group does not act.
        TypeError: `kernel` is neither description nor function, or `action` is neither Action nor Transforms.

    References:
        Equality with augmentation: Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> linear = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> nngp, ntk = group_average(linear, swap)(jnp.array([[1.0, 0.0], [2.0, 4.0]]))
    >>> ntk.tolist()
    [[0.5, 3.0], [3.0, 18.0]]
    """
    transforms = as_transforms("action", action)
    if sides not in (1, 2):
        raise ValueError(f"expected sides=1 (over the second argument) or sides=2 (over both); got {sides!r}.")
    return GroupAverage(as_kernel(kernel), transforms, sides)
