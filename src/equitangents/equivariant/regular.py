"""Any finite group: lifting by an action, and convolution of functions on the group."""

import math
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..groups import Action, FiniteGroup
from ..kernels import Kernel, Needs, apply_weights, joint_average, needs, propagate
from ..nets import AbstractWeighted
from ..nets.base import Params, Scalar, Shape, check_shape
from .planar import check_over_group


class ActionLift(AbstractWeighted):
    r"""$z_i(g) = \sigma_w n^{-1/2} \sum_x k_i(x)\, (\rho(g)^{-1} f)(x) + \sigma_b b_i$.

    The sum is over all n entries of f. Takes any example the action acts on to a function on its group, `(|G|, width)`.

    At infinite width the action must permute sites, because only channels' averages are known there: give vectors as
    `(d, 1)`, with `permutation_action(group, permutations, axis=-2)`.

    Attributes:
        action: the group and how it acts, as made in `equitangents.groups`.
        width: number of output channels; ignored by infinite-width rules.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = n.
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Misof, Kessel and Gerken (2024), arXiv:2406.06504.
    """

    action: Action = eqx.field(static=True)
    width: int = eqx.field(static=True)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def __init__(
        self,
        action: Any,
        width: int,
        *,
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        if not isinstance(action, Action):
            raise TypeError(f"ActionLift: expected an action such as image_action(point_group('C4')), got {action!r}.")
        self.action, self.width = action, width
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    def fan_in(self, shape: Shape) -> int:
        return math.prod(shape)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        self.action.check_shape(shape)
        return (self.action.group.order, self.width), self.draw(key, (math.prod(shape), self.width))

    def apply(self, params: Params, x: Array) -> Array:
        group = self.action.group
        orbit = self.action.orbit(x).reshape(group.order, -1)[group.inverse]
        return self.combine(params, lambda w: orbit @ w, x, x.size)


class RegularConv(AbstractWeighted):
    r"""$z_i(g) = \sigma_w (c|S|)^{-1/2} \sum_{j, h \in S} k_{ij}(h) f_j(gh) + \sigma_b b_i$.

    Takes functions on the group `(|G|, c)` to others, `(|G|, width)`.

    Attributes:
        group: any finite group.
        width: number of output channels; ignored by infinite-width rules.
        support: the elements h in S that carry weights; all if None.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = c|S|.
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.groups import cyclic
    >>> from equitangents.nets import output_shape
    >>> output_shape(RegularConv(cyclic(5), 16, support=(0, 1)), (5, 8))
    (5, 16)
    """

    group: FiniteGroup = eqx.field(static=True)
    width: int = eqx.field(static=True)
    support: tuple[int, ...] | None = eqx.field(static=True, default=None)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def __init__(
        self,
        group: Any,
        width: int,
        support: Iterable[int] | None = None,
        *,
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        if not isinstance(group, FiniteGroup):
            raise TypeError(f"RegularConv: expected a finite group such as cyclic(4), got {group!r}.")
        self.group, self.width = group, width
        self.support = None if support is None else tuple(group.check_element(h) for h in support)
        if self.support is not None and (not self.support or len(set(self.support)) != len(self.support)):
            raise ValueError(f"RegularConv: expected different elements of {group} as support, got {self.support}.")
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    @property
    def shifted(self) -> np.ndarray:
        """The element gh at [g, place of h in the support]."""
        return self.group.table if self.support is None else self.group.table[:, self.support]

    def fan_in(self, shape: Shape) -> int:
        return shape[-1] * self.shifted.shape[1]

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        check_over_group(self, self.group, shape[:-1], 1)
        return (self.group.order, self.width), self.draw(key, (self.fan_in(shape), self.width))

    def apply(self, params: Params, x: Array) -> Array:
        neighbours = x[self.shifted].reshape(self.group.order, -1)
        return self.combine(params, lambda w: neighbours @ w, x, neighbours.shape[1])


@propagate.register(ActionLift)
def _(layer: ActionLift, k: Kernel) -> Kernel:
    return apply_weights(layer, _mean_at(k, _site_sources(layer, k.sites)))


@propagate.register(RegularConv)
def _(layer: RegularConv, k: Kernel) -> Kernel:
    check_over_group(layer, layer.group, k.sites, 1)
    return apply_weights(layer, _mean_at(k, layer.shifted))


@needs.register(ActionLift)
@needs.register(RegularConv)
def _(layer: ActionLift | RegularConv, after: Needs) -> Needs:
    return after


def _mean_at(k: Kernel, places: np.ndarray) -> Kernel:
    """Mean over x of the covariances between sites places[g, x] and places[g', x]."""
    size = math.prod(k.sites)

    def mean(array: Array, pairs: bool) -> Array:
        if not pairs:
            return jnp.mean(array.reshape(size)[places], axis=-1)
        return jnp.mean(array.reshape(size, size)[places[:, None], places[None]], axis=-1)

    return joint_average(k, lambda array, pairs: array, mean, k.sites, (len(places),))


def _site_sources(layer: ActionLift, sites: Shape) -> np.ndarray:
    """The site y with (rho(g)^-1 f)(x) = f(y), at [g, x]."""
    numbers = np.arange(math.prod(sites), dtype=np.int32).reshape(*sites, 1)
    action, group = layer.action, layer.action.group
    try:
        action.check_shape(numbers.shape)
        with jax.ensure_compile_time_eval():
            sources = np.asarray(action.orbit(numbers)).reshape(group.order, -1)[group.inverse]
    except (ValueError, TypeError) as error:
        raise NotImplementedError(
            f"ActionLift at infinite width expected an action that permutes sites, got {action} on sites "
            f"{tuple(sites)}; give vectors as (d, 1) with permutation_action(..., axis=-2)."
        ) from error
    return sources
