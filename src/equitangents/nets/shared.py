"""The same weights used several times in a row."""

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_size
from .combinators import Serial, _check_layers, _kept_shape


class Shared(AbstractLayer):
    """The layers inside, applied `times` times in a row with one set of weights. Input and output have one shape.

    At infinite width its kernels are those of as many copies with weights of their own, if every path through the
    layers meets weights: what reaches back from an output over different numbers of uses is then uncorrelated, so
    tangent kernels have no cross terms between uses. A `Residual` around all of them, which has a path without weights,
    is refused: there the terms of different uses are correlated. For inputs at each time see `Recurrent`.

    References:
        Yang (2019), arXiv:1910.12478 (Gaussian process); Yang (2020), arXiv:2006.14548 (tangent kernel).

    >>> from equitangents.nets import Dense, Relu
    >>> Shared(Relu(), Dense(64), times=3)
    Shared(Relu(), Dense(64), times=3)
    """

    layer: AbstractLayer
    times: int = eqx.field(static=True)

    def __init__(self, *layers: AbstractLayer, times: int):
        _check_layers(self, layers)
        self.layer, self.times = Serial(*layers), times
        check_size(self, "times")

    def __repr__(self) -> str:
        return f"Shared({', '.join(map(repr, self.layer.layers))}, times={self.times})"  # type: ignore[attr-defined]

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return _kept_shape(self, self.layer, key, shape)

    def apply(self, params: Params, x: Array) -> Array:
        for _ in range(self.times):
            x = self.layer.apply(params, x)
        return x
