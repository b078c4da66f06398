r"""Averages over random maps of the inputs, with standard errors: groups too large to sum over, noise, random crops."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ..dynamics.regression import as_kernel, evaluate
from ..groups import Action, random_rotations
from .checks import check_action, check_count

Draw = Callable[[PRNGKeyArray, Array], Array]


class Estimate(NamedTuple):
    """Mean over draws and its standard error, shape (n1, n2) each."""

    mean: Float[Array, "n1 n2"]
    error: Float[Array, "n1 n2"]


class SampledAverage(eqx.Module):
    """A kernel averaged over random maps, as `sampled_average` makes it; called as (x1, x2=None) -> (nngp, ntk).

    Attributes:
        kernel: the kernel that is averaged.
        key: of all draws; every call uses the same.
        draw: takes (key, batch) to the mapped batch.
        draws: how many.
        sides: 1 or 2.
    """

    kernel: Any
    key: PRNGKeyArray
    draw: Draw = eqx.field(static=True)
    draws: int = eqx.field(static=True)
    sides: int = eqx.field(static=True)

    def __call__(self, x1: ArrayLike, x2: ArrayLike | None = None) -> tuple[Array, Array]:
        nngp, ntk = self.with_errors(x1, x2)
        return nngp.mean, ntk.mean

    def with_errors(self, x1: ArrayLike, x2: ArrayLike | None = None) -> tuple[Estimate, Estimate]:
        """The averaged nngp and ntk, each with its standard error."""
        x1 = jnp.asarray(x1)
        other = x1 if x2 is None else jnp.asarray(x2)
        mean = squares = None
        for a in range(self.draws):
            left, right = jr.split(jr.fold_in(self.key, a))
            first = x1 if self.sides == 1 else self.draw(left, x1)
            sample = jnp.stack(evaluate(self.kernel, first, self.draw(right, other)))
            if x2 is None and self.sides == 2:  # symmetric in mean, and still one independent draw
                sample = (sample + sample.swapaxes(1, 2)) / 2
            if mean is None or squares is None:
                mean, squares = sample, jnp.zeros_like(sample)
            else:
                step = sample - mean
                mean = mean + step / (a + 1)
                squares = squares + step * (sample - mean)
        assert mean is not None and squares is not None
        error = jnp.sqrt(squares / (self.draws * (self.draws - 1)))
        return Estimate(mean[0], error[0]), Estimate(mean[1], error[1])


def sampled_average(kernel: Any, draw: Draw, *, draws: int, key: PRNGKeyArray, sides: int = 2) -> SampledAverage:
    r"""$E\,k(x_1, T x_2)$ or $E\,k(T x_1, T' x_2)$ over independent random maps, by `draws` independent pairs.

    Both sides give the kernel of features averaged over the augmentation, $\langle E\psi(T x_1), E\psi(T x_2)\rangle$,
    also on the diagonal, where the two maps of one input are independent. Unbiased; the error is the sample deviation
    over draws divided by their root. Each costs one kernel: for a fixed number of kernels fresh pairs have a smaller
    error than all pairs of few draws.

    A Gram matrix of estimates need not be positive semidefinite, and `GradientFlow` refuses it where it is not: use
    `group_average` with a quadrature or a finite set for training.

    Args:
        kernel: a description of a network, or a function (x1, x2) -> (nngp, ntk).
        draw: takes (key, batch (n, *example)) to a batch of mapped examples; `haar_rotation`, `gaussian_noise`,
            `random_crop`, `random_permutation`, `random_element`, or your own.
        draws: at least 2.
        key: the same key gives the same draws for every call.
        sides: 1 or 2; 1 needs a jointly invariant kernel and a group, and gives estimates that are symmetric in mean
            only, without them not even that.

    Raises:
        ValueError: fewer than two draws, or another number of sides.
        TypeError: `kernel` is neither description nor function.

    >>> linear = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> average = sampled_average(linear, gaussian_noise(0.1), draws=100, key=jr.key(0))
    >>> nngp, ntk = average.with_errors(jnp.ones((1, 2)))
    >>> bool(abs(ntk.mean[0, 0] - 2) < 4 * ntk.error[0, 0])  # noise on both sides is independent: no bias
    True
    """
    check_count("draws", draws, 2)
    if sides not in (1, 2):
        raise ValueError(f"expected sides=1 (over the second argument) or sides=2 (over both); got {sides!r}.")
    return SampledAverage(as_kernel(kernel), key, draw, draws, sides)


def haar_rotation(key: PRNGKeyArray, x: Array) -> Array:
    """Each vector (3,) or point cloud (points, 3) of a batch turned by a rotation of its own, uniform on SO(3)."""
    _check_last(x, 3, "vectors or point clouds (n, ..., 3)")
    turns = random_rotations(key, len(x)).astype(x.dtype)
    return jnp.einsum("nij,n...j->n...i", turns, x, precision="highest")


def random_permutation(key: PRNGKeyArray, x: Array) -> Array:
    """The points of each set (points, channels) of a batch in an order of their own, uniform on S_n."""
    if x.ndim != 3:
        raise ValueError(f"expected sets of points (n, points, channels); got shape {x.shape}.")
    return jax.vmap(lambda k, points: jr.permutation(k, points, axis=0))(jr.split(key, len(x)), x)


def gaussian_noise(sigma: float | int) -> Draw:
    """Adds independent Gaussian noise of standard deviation sigma to every entry."""
    if not 0 <= sigma < math.inf:
        raise ValueError(f"expected a standard deviation from 0, finite; got {sigma}.")
    return lambda key, x: x + sigma * jr.normal(key, x.shape, x.dtype)


def random_crop(size: tuple[int, int]) -> Draw:
    """A window (height, width) of each image of a batch, at a place of its own; uniform over places inside."""

    def draw(key: PRNGKeyArray, x: Array) -> Array:
        if x.ndim != 4 or any(s > n for s, n in zip(size, x.shape[1:3], strict=True)):
            raise ValueError(f"expected images (n, height, width, channels) of at least {size}; got {x.shape}.")
        limits = np.array([n - s + 1 for n, s in zip(x.shape[1:3], size, strict=True)])
        places = jr.randint(key, (len(x), 2), 0, limits[None])
        shape = (*size, x.shape[-1])
        return jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0 * at[0]), shape))(x, places)

    return draw


def random_element(action: Action) -> Draw:
    """Each example moved by an element of its own, uniform on the group."""
    check_action("action", action)

    def draw(key: PRNGKeyArray, x: Array) -> Array:
        action.check_shape(x.shape[1:])
        return jax.vmap(action)(jr.randint(key, (len(x),), 0, action.group.order), x)

    return draw


def _check_last(x: Array, size: int, what: str) -> None:
    if x.ndim < 2 or x.shape[-1] != size:
        raise ValueError(f"expected {what}; got shape {x.shape}.")
