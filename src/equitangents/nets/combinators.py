"""Networks made of networks."""

from typing import Any

import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape


def _kept_shape(owner: AbstractLayer, inside: AbstractLayer, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
    """`inside.init`, which must give the shape that came in."""
    out, params = inside.init(key, shape)
    if tuple(out) != tuple(shape):
        raise ValueError(
            f"{type(owner).__name__} expected its layers to keep the shape {tuple(shape)}, got {tuple(out)}; "
            "adapt width, padding or strides inside, or put a layer of that width before it."
        )
    return shape, params


def _check_layers(owner: AbstractLayer, layers: tuple) -> None:
    if not layers:
        raise ValueError(f"{type(owner).__name__} expected at least one layer, got none; write for example Dense(10).")
    for layer in layers:
        if not isinstance(layer, AbstractLayer):
            what = f"the class {layer.__name__}" if isinstance(layer, type) else repr(layer)
            raise TypeError(
                f"{type(owner).__name__} expected layers (instances of AbstractLayer), got {what}; "
                "write Relu() and not Relu, and one argument for each layer."
            )


class Serial(AbstractLayer):
    """Layers one after the other: `Serial(Dense(64), Relu(), Dense(1))`."""

    layers: tuple[AbstractLayer, ...]

    def __init__(self, *layers: AbstractLayer):
        _check_layers(self, layers)
        self.layers = layers

    def __repr__(self) -> str:
        return f"Serial({', '.join(map(repr, self.layers))})"

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        params = []
        for layer, layer_key in zip(self.layers, jr.split(key, len(self.layers)), strict=True):
            shape, drawn = layer.init(layer_key, shape)
            params.append(drawn)
        return shape, params

    def apply(self, params: Params, x: Any) -> Any:
        for layer, layer_params in zip(self.layers, params, strict=True):
            x = layer.apply(layer_params, x)
        return x


class Residual(AbstractLayer):
    """$x + f(x)$: the layers inside, and a path around them. Input and output have one shape.

    At infinite width the two terms are taken as independent, so the last layer inside must draw its own weights
    (Dense or Conv, not an activation).
    """

    layer: AbstractLayer

    def __init__(self, *layers: AbstractLayer):
        _check_layers(self, layers)
        self.layer = layers[0] if len(layers) == 1 else Serial(*layers)

    def __repr__(self) -> str:
        return (
            repr(self.layer).replace("Serial(", "Residual(", 1)
            if isinstance(self.layer, Serial)
            else (f"Residual({self.layer!r})")
        )

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return _kept_shape(self, self.layer, key, shape)

    def apply(self, params: Params, x: Array) -> Array:
        return x + self.layer.apply(params, x)


class Parallel(AbstractLayer):
    """The sum of several networks of one input, $f_1(x) + f_2(x) + \\dots$, each with its own weights."""

    layers: tuple[AbstractLayer, ...]

    def __init__(self, *layers: AbstractLayer):
        _check_layers(self, layers)
        self.layers = layers

    def __repr__(self) -> str:
        return f"Parallel({', '.join(map(repr, self.layers))})"

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        drawn = [layer.init(k, shape) for layer, k in zip(self.layers, jr.split(key, len(self.layers)), strict=True)]
        shapes = [tuple(out) for out, _ in drawn]
        if len(set(shapes)) != 1:
            raise ValueError(f"Parallel expected branches of one output shape, got {shapes}; adapt their widths.")
        return shapes[0], [params for _, params in drawn]

    def apply(self, params: Params, x: Array) -> Array:
        outs = [layer.apply(p, x) for layer, p in zip(self.layers, params, strict=True)]
        return sum(outs[1:], outs[0])
