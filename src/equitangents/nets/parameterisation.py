"""Fill the four numbers of every layer in from its widths."""

from collections.abc import Callable
from functools import singledispatch

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from .attention import Attention
from .base import AbstractLayer, Params, Scalar, Shape, check_shape, is_known, output_shape
from .branches import Concatenate, Product
from .combinators import Parallel, Residual, Serial
from .dense import Dense
from .depthwise import DepthwiseConv
from .mask import Masked
from .positions import Positions
from .recurrent import Recurrent
from .shared import Shared
from .weights import AbstractWeighted, exists

Fill = Callable[[AbstractWeighted, Shape, bool, bool], AbstractWeighted]


@singledispatch
def fill(layer: AbstractLayer, shape: Shape, rule: Fill, first: bool, last: bool) -> AbstractLayer:
    """`layer` with `rule(layer, shape, first, last)` applied to every layer with weights inside.

    Args:
        layer: the description; one that holds other layers registers its own rule with `@fill.register`.
        shape: shape of one example before the layer.
        rule: gives a layer with weights its new numbers.
        first, last: whether no other layer with weights comes before or after.
    """
    return rule(layer, shape, first, last) if isinstance(layer, AbstractWeighted) else layer


def has_weights(layer: AbstractLayer) -> bool:
    """Whether there is a layer with weights in the description."""
    found: list[bool] = []

    def note(inside: AbstractWeighted, shape: Shape, first: bool, last: bool) -> AbstractWeighted:
        found.append(True)
        return inside

    fill(layer, (), note, True, True)
    return bool(found)


@fill.register(Serial)
def _(layer: Serial, shape: Shape, rule: Fill, first: bool, last: bool) -> Serial:
    filled: list[AbstractLayer] = []
    weighted = [has_weights(inside) for inside in layer.layers]
    for i, inside in enumerate(layer.layers):
        filled.append(fill(inside, shape, rule, first and not any(weighted[:i]), last and not any(weighted[i + 1 :])))
        shape = output_shape(inside, shape) if shape else shape
    return Serial(*filled)


@fill.register(Residual)
def _(layer: Residual, shape: Shape, rule: Fill, first: bool, last: bool) -> Residual:
    return Residual(fill(layer.layer, shape, rule, first, last))


@fill.register(Shared)
def _(layer: Shared, shape: Shape, rule: Fill, first: bool, last: bool) -> Shared:
    alone = layer.times == 1  # each use has others before or after it
    filled = fill(layer.layer, shape, rule, first and alone, last and alone)
    return Shared(*filled.layers, times=layer.times)  # type: ignore[attr-defined]


@fill.register(Parallel)
def _(layer: Parallel, shape: Shape, rule: Fill, first: bool, last: bool) -> Parallel:
    return Parallel(*(fill(inside, shape, rule, first, last) for inside in layer.layers))


@fill.register(Concatenate)
def _(layer: Concatenate, shape: Shape, rule: Fill, first: bool, last: bool) -> Concatenate:
    filled = (fill(inside, shape, rule, first, last) for inside in layer.layers)
    return Concatenate(*filled, proportions=layer.proportions)


@fill.register(Product)
def _(layer: Product, shape: Shape, rule: Fill, first: bool, last: bool) -> Product:
    return Product(*(fill(inside, shape, rule, first, last) for inside in layer.layers))


@fill.register(Masked)
def _(layer: Masked, shape: Shape, rule: Fill, first: bool, last: bool) -> Masked:
    return Masked(layer.value, *fill(Serial(*layer.layers), shape, rule, first, last).layers)  # type: ignore[attr-defined]


@fill.register(DepthwiseConv)
def _(layer: DepthwiseConv, shape: Shape, rule: Fill, first: bool, last: bool) -> AbstractLayer:
    return rule(layer, shape, True, False)  # its fan_in does not grow with the width, as that of a first layer


@fill.register(Recurrent)
def _(layer: Recurrent, shape: Shape, rule: Fill, first: bool, last: bool) -> Recurrent:
    state = (*shape[:-1], layer.read.width) if shape else shape
    read, hidden = rule(layer.read, shape, first, False), rule(layer.hidden, state, False, False)
    return eqx.tree_at(lambda inside: (inside.read, inside.hidden), layer, (read, hidden))


@fill.register(Attention)
def _(layer: Attention, shape: Shape, rule: Fill, first: bool, last: bool) -> Attention:
    values = (*shape[:-1], layer.heads * layer.value.width) if shape else shape
    placed = shape if layer.positions is None or not shape else output_shape(layer.positions, shape)
    key, value = rule(layer.key, placed, first, False), rule(layer.value, shape, first, False)
    query = None if layer.query is None else rule(layer.query, placed, first, False)
    positions = None if layer.positions is None else fill(layer.positions, shape, rule, first, False)
    parts = (key, value, rule(layer.out, values, False, last), query, positions)
    return eqx.tree_at(
        lambda inside: (inside.key, inside.value, inside.out, inside.query, inside.positions),
        layer,
        parts,
        is_leaf=lambda part: part is None,
    )


@fill.register(Positions)
def _(layer: Positions, shape: Shape, rule: Fill, first: bool, last: bool) -> Positions:
    if not shape:  # the layer after it is still the first with weights
        return layer
    bias = rule(
        Dense(layer.channels(shape[-1]), 0.0, layer.sigma_b, None, layer.lambda_b), shape, first, False
    )  # it trains as a bias does
    return eqx.tree_at(lambda inside: inside.lambda_b, layer, bias.lambda_b, is_leaf=lambda value: value is None)


def standard(net: AbstractLayer, shape: Shape) -> AbstractLayer:
    r"""The standard parameterisation: $W \sim N(0, \sigma_w^2 / \text{fan_in})$, trained by plain gradients on W and b.

    So lambda_w = fan_in and lambda_b = 1, and the NTK grows with the width. A parameter that the description does not
    have (sigma = 0 without a lambda) is not added, and a frozen one (lambda = 0) stays frozen. The network computes the
    same function as before at initialisation.

    Args:
        net: the description.
        shape: shape of one example.

    >>> from equitangents.nets import Dense, Relu, Serial
    >>> standard(Serial(Dense(64), Relu(), Dense(1)), (3,))
    Serial(Dense(64, lambda_w=3.0), Relu(), Dense(1, lambda_w=64.0))
    """

    def rule(layer: AbstractWeighted, inside: Shape, first: bool, last: bool) -> AbstractWeighted:
        return _with(layer, layer.sigma_w, layer.fan_in(inside), 1.0)

    return _filled(net, shape, rule)


def mup(net: AbstractLayer, shape: Shape) -> "MaximalUpdate":
    r"""The maximal-update parameterisation for gradient descent: features move at any width.

    With n = fan_in of a layer and m its width, weights and rates are, up to the sigmas given:

    | layer | standard deviation of W | rate of W | rate of b |
    |---|---|---|---|
    | first | sigma_w / sqrt(n) | m | m |
    | hidden | sigma_w / sqrt(n) | 1 | m |
    | last | sigma_w / n | 1 / n | 1 |

    A network with a single layer takes the rates 1 of the hidden and the scale of the last. Parameters that are absent
    or frozen stay so. The finite network and its empirical NTK are offered; there is no NTK at infinite width.

    Args:
        net: the description.
        shape: shape of one example.

    References:
        Yang and Hu (2021), arXiv:2011.14522; Yang et al. (2022), arXiv:2203.03466, table 3, column SGD.
    """

    if isinstance(net, MaximalUpdate):
        raise ValueError("mup expected a network that is not in its parameterisation yet, got mup(...); apply it once.")

    def rule(layer: AbstractWeighted, inside: Shape, first: bool, last: bool) -> AbstractWeighted:
        n, m = layer.fan_in(inside), layer.channels(inside)
        if last:
            return _with(layer, layer.sigma_w / n**0.5, 1.0 if not first else n, 1.0)
        return _with(layer, layer.sigma_w, n * m if first else n, m)

    return MaximalUpdate(_filled(net, shape, rule))


class MaximalUpdate(AbstractLayer):
    """A network in the maximal-update parameterisation, as `mup` returns it."""

    layer: AbstractLayer

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return self.layer.init(key, shape)

    def apply(self, params: Params, x: Array) -> Array:
        return self.layer.apply(params, x)


@fill.register(MaximalUpdate)
def _(layer: MaximalUpdate, shape: Shape, rule: Fill, first: bool, last: bool) -> AbstractLayer:
    return fill(layer.layer, shape, rule, first, last)


def _rate(sigma: Scalar, before: Scalar | None, new: float) -> Scalar | None:
    """The new rate of a parameter; one that does not exist, or is frozen, stays so."""
    frozen = before is not None and is_known(before) and before == 0
    return before if frozen or not exists(sigma, before) else float(new)


def _with(layer: AbstractWeighted, sigma_w, lambda_w, lambda_b) -> AbstractWeighted:
    rates = _rate(layer.sigma_w, layer.lambda_w, lambda_w), _rate(layer.sigma_b, layer.lambda_b, lambda_b)
    return eqx.tree_at(
        lambda inside: (inside.sigma_w, inside.lambda_w, inside.lambda_b),
        layer,
        (sigma_w, *rates),
        is_leaf=lambda value: value is None,
    )


def _filled(net: AbstractLayer, shape: Shape, rule: Fill) -> AbstractLayer:
    if not isinstance(net, AbstractLayer):
        raise TypeError(f"expected a description (an instance of AbstractLayer), got {net!r}.")
    shape = tuple(shape)
    check_shape(net, shape)
    output_shape(net, shape)
    return fill(net, shape, rule, True, True)
