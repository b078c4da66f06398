r"""Ensembles of |G| finite networks whose mean is exactly invariant through training: orbits of one initialisation.

Member g starts from weights $\theta_g$ with $f(\theta_g, x) = f(\theta, \rho(g) x)$. On training data closed under G
gradient descent keeps this at every step, so the mean over members is invariant: at any width, depth and rate.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..groups import Action, PointGroup, image_action
from ..nets import (
    AbstractActivation,
    AbstractLayer,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    LayerNorm,
    MaxPool,
    Parallel,
    Residual,
    Serial,
    SumPool,
    output_shape,
)
from ..nets.base import Params, Shape
from .checks import check_action


class Place(NamedTuple):
    r"""What stands between two layers where the input is $\rho(g) x$: what stood there for x, moved.

    Attributes:
        shape: of the example there.
        action: that moves it; None where it does not change any more.
        unflattened: the shape on which the action acts, where the example was flattened.
    """

    shape: Shape
    action: Action | None
    unflattened: Shape | None = None

    def move(self, g: int, x: Array) -> Array:
        """The batch x of examples of this shape, moved."""
        if self.action is None:
            return x
        return self.action(g, x.reshape(len(x), *(self.unflattened or self.shape))).reshape(x.shape)

    def moves_sites_only(self) -> bool:
        """Whether channels stay together."""
        if self.action is None or self.unflattened is not None or len(self.shape) < 2:
            return self.action is None
        return _moves_sites_only(self.action, self.shape)


@functools.lru_cache(maxsize=64)
def _moves_sites_only(action: Action, shape: Shape) -> bool:
    number = np.arange(math.prod(shape[:-1]), dtype=float).reshape(*shape[:-1], 1)
    moved = np.asarray(action.orbit(np.broadcast_to(number, shape)))
    return bool((moved == moved[..., :1]).all() and np.isin(moved, number).all())


def orbit_closed_ensemble(net: Any, shape: Shape, action: Action, key: PRNGKeyArray) -> Params:
    r"""Initial parameters $\theta_g$ of |G| networks with $f(\theta_g, x) = f(\theta, \rho(g) x)$.

    A dense layer that reads the input takes up the action in its weights, $W_g = \rho(g)^T W$. A convolution hands it
    on: its filters are turned by $g^{-1}$, its output is moved as the input was; so all filters are turned, up to the
    pool that ends it, or the dense layer behind `Flatten`. Where the output itself is moved, as that of a fully
    convolutional network, $f(\theta_g, x) = \rho(g)^{-1} f(\theta, \rho(g) x)$.

    Each member alone is an ordinary draw of the prior. Trained by full-batch descent on full orbits, members stay an
    orbit, and their mean is invariant (equivariant) at every step and any input, up to rounding. Members are not
    independent: for the mean itself an orbit counts as one draw.

    Assumes: targets that do not change (or move as the outputs do); each step sees full orbits, so no minibatches; an
    optimiser that commutes with these maps: descent with momentum or weight decay does, Adam only where they permute
    weights. The members are checked on a random input.

    Args:
        net: made of `Dense`, `Conv`, pools, `Flatten`, `LayerNorm`, nonlinearities, `Serial`, `Residual`, `Parallel`.
        shape: of one example.
        action: on the inputs, orthogonal; for convolutions `image_action` of a point group.
        key: PRNG key of the one initialisation.

    Returns:
        Parameters stacked along a first axis of members, in the order of the elements; `predict_ensemble` takes them.

    Raises:
        ValueError: an action that is not orthogonal, does not act on such examples, or to which the network's weights
            do not answer, such as an even window with padding "SAME".
        NotImplementedError: a layer without a rule.

    References:
        Nordenfors and Flinth (2024), arXiv:2410.01452, for the law of one member; orbits are stated here.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> params = orbit_closed_ensemble(Dense(1), (2,), swap, jr.key(0))
    >>> bool((params["w"][0, :, 0] == params["w"][1, ::-1, 0]).all())
    True
    """
    if not isinstance(net, AbstractLayer):
        raise TypeError(f"expected a description of a network, as Serial(Dense(64), Relu(), Dense(1)); got {net!r}.")
    check_action("action", action).check_shape(tuple(shape))
    if not action.is_orthogonal:
        raise ValueError(f"expected an orthogonal action; got {action}; others change the law of weights.")
    draw_key, check_key = jr.split(key)
    params = net.init(draw_key, tuple(shape))[1]
    start = Place(tuple(shape), action)
    members = [moved_weights(net, params, start, g) for g in action.group.elements]
    _check_members(net, params, members, start, check_key)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(member for member, _ in members))


@functools.singledispatch
def moved_weights(layer: AbstractLayer, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    r"""Weights with which `layer` gives for x what it gave for $\rho(g) x$, up to how its output is moved, and that.

    Args:
        layer: the description.
        params: its parameters.
        place: before the layer.
        g: the element.
    """
    name = type(layer).__name__
    raise NotImplementedError(
        f"{name} has no rule for weights that take up a group; use Dense and Conv, or write one with "
        f"@moved_weights.register({name})."
    )


@moved_weights.register(AbstractActivation)
@moved_weights.register(LayerNorm)
@moved_weights.register(AvgPool)
@moved_weights.register(SumPool)
@moved_weights.register(MaxPool)
def _(layer: AbstractLayer, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    return params, place._replace(shape=output_shape(layer, place.shape))


@moved_weights.register(Flatten)
def _(layer: Flatten, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    return params, Place(output_shape(layer, place.shape), place.action, place.unflattened or place.shape)


@moved_weights.register(GlobalAvgPool)
@moved_weights.register(GlobalSumPool)
def _(layer: AbstractLayer, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    left = None if place.moves_sites_only() else place.action
    return params, Place(output_shape(layer, place.shape), left)


@moved_weights.register(Dense)
def _(layer: Dense, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    shape = output_shape(layer, place.shape)
    if place.action is None or place.moves_sites_only():
        return params, Place(shape, place.action)
    back = int(place.action.group.inverse[g])  # the transpose
    channels = Place((place.shape[-1],), place.action, place.unflattened)
    return _with_weights(params, lambda w: channels.move(back, w.T).T), Place(shape, None)


@moved_weights.register(Conv)
def _(layer: Conv, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    shape = output_shape(layer, place.shape)
    if place.action is None:
        return params, Place(shape, None)
    group = place.action.group
    if not isinstance(group, PointGroup) or len(layer.window) != 2 or place.action != image_action(group):
        raise NotImplementedError(
            f"{layer!r} has no rule for {place.action}; use image_action of a point group, which turns filters."
        )
    back = int(group.inverse[g])

    def turn(w: Array) -> Array:
        return jnp.moveaxis(place.action(back, jnp.moveaxis(w, -1, 0)), 0, -1)  # type: ignore[misc]

    return _with_weights(params, turn), Place(shape, place.action)


@moved_weights.register(Serial)
def _(layer: Serial, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    moved = []
    for inside, own in zip(layer.layers, params, strict=True):
        new, place = moved_weights(inside, own, place, g)
        moved.append(new)
    return moved, place


@moved_weights.register(Residual)
def _(layer: Residual, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    moved, after = moved_weights(layer.layer, params, place, g)
    return moved, _same_place(layer, [place, after])


@moved_weights.register(Parallel)
def _(layer: Parallel, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    moved = [moved_weights(inside, own, place, g) for inside, own in zip(layer.layers, params, strict=True)]
    return [new for new, _ in moved], _same_place(layer, [after for _, after in moved])


def _same_place(layer: AbstractLayer, places: list[Place]) -> Place:
    if any((after.action is None) != (places[0].action is None) for after in places):
        raise ValueError(
            f"expected all branches to move their outputs alike; got {type(layer).__name__} with a branch that "
            "takes up the group and one that does not; put a layer with weights before it."
        )
    return places[0]


def _with_weights(params: Params, change: Any) -> Params:
    return params | {"w": change(params["w"])} if "w" in params else params


def _check_members(net: AbstractLayer, params: Params, members: list, start: Place, key: PRNGKeyArray) -> None:
    x = jr.normal(key, (2, *start.shape))
    apply = jax.jit(jax.vmap(net.apply, (None, 0)))
    for g, (member, after) in enumerate(members):
        expected, got = apply(params, start.move(g, x)), after.move(g, apply(member, x))
        error = float(jnp.max(jnp.abs(got - expected)))
        if not error <= float(jnp.finfo(x.dtype).eps) ** 0.6 * max(1.0, float(jnp.max(jnp.abs(expected)))):
            raise ValueError(
                f"expected weights that take up the group; got outputs that differ by {error:.2g} for element "
                f"{start.action.group.labels[g]}; use odd windows, or windows and strides that lie symmetrically."  # type: ignore[union-attr]
            )
