"""From a plain network to the group-convolutional network that augmentation makes it equal to, at infinite width."""

from ..groups import Action, PointGroup, image_action, point_group
from ..nets import AbstractActivation, AbstractLayer, Conv, Dense, Flatten, GlobalAvgPool, Serial, output_shape
from ..nets.base import Shape
from .group_conv import GroupConv
from .group_pool import GroupPool
from .lift import Lift
from .regular import ActionLift, RegularConv

SCALES = ("sigma_w", "sigma_b", "lambda_w", "lambda_b")


def impose(net: AbstractLayer, group: str | PointGroup | Action, shape: Shape, *, width: float = 1.0) -> Serial:
    r"""The group-convolutional twin of a plain network: the same depth, nonlinearities and prior; invariant.

    Trained on n examples it has, at infinite width, the mean predictor of `net` trained on their |G| n images (for the
    learning rates of `symmetry.match_learning_rate`): its kernel is $\frac1{|G|} \sum_g k(x_1, \rho(g) x_2)$. A
    network of

    - convolutions, `GlobalAvgPool`, `Dense` becomes `Lift`, `GroupConv`, ..., `GroupPool`, `Dense`;
    - convolutions, `Flatten`, `Dense` becomes `Lift`, `GroupConv`, ..., `GroupConv` with window "all", `GroupPool`;
    - `Flatten`, `Dense`, ..., `Dense` becomes `ActionLift`, `RegularConv`, ..., `GroupPool`, `Dense`.

    Args:
        net: a `Serial` of `Conv`, `Dense`, `Flatten`, `GlobalAvgPool` and activations, that ends with its only layer
            after pooling, a `Dense`.
        group: the name of a point group or the group itself, for images; or any action on examples of this shape, for
            networks that start with `Flatten`.
        shape: shape of one example, (height, width, channels) or (d, 1).
        width: factor of the hidden widths, rounded; 1 / sqrt(|G|) keeps the number of parameters of hidden layers.

    Raises:
        ValueError: the network has no twin, or the group does not act on such examples.
        TypeError: `net` is no description.

    References:
        Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.nets import Relu
    >>> impose(Serial(Conv(8, (3, 3)), Relu(), GlobalAvgPool(), Dense(1)), "C4", (8, 8, 1))
    Serial(Lift('C4', 8, (3, 3)), Relu(), GroupPool(), Dense(1))
    """
    if not isinstance(net, AbstractLayer):
        raise TypeError(
            f"impose expected a description such as Serial(Flatten(), Dense(64), Relu(), Dense(1)), got {net!r}."
        )
    if not width > 0:
        raise ValueError(f"impose expected a positive factor of the widths, got {width}; use 1.0 to keep them.")
    action = (
        group if isinstance(group, Action) else image_action(point_group(group) if isinstance(group, str) else group)
    )
    action.check_shape(tuple(shape))
    output_shape(net, shape)
    layers = list(net.layers) if isinstance(net, Serial) else [net]
    if not isinstance(layers[-1], Dense):
        raise ValueError(
            f"impose expected a network that ends with Dense, got {layers[-1]!r} at its end; add Dense(1)."
        )
    if isinstance(layers[0], Flatten):
        return Serial(*_dense_twin(layers[1:], action, width))
    if not isinstance(action.group, PointGroup) or len(shape) != 3:
        raise ValueError(f"impose expected a network that starts with Flatten() for {action}, got {layers[0]!r} first.")
    return Serial(*_conv_twin(layers, action.group, width))


def _dense_twin(layers: list[AbstractLayer], action: Action, factor: float) -> list[AbstractLayer]:
    *hidden, head = layers
    twin: list[AbstractLayer] = []
    for layer in hidden:
        if isinstance(layer, Dense):
            n, scales = _scaled(layer.width, factor), _scales(layer)
            first = not twin
            twin.append(ActionLift(action, n, **scales) if first else RegularConv(action.group, n, **scales))
        else:
            twin.append(_pointwise(layer))
    if not hidden or not isinstance(twin[0], ActionLift):
        raise ValueError("impose expected Flatten, Dense, a nonlinearity, ..., Dense, got no hidden Dense; add one.")
    return [*twin, GroupPool(), head]


def _conv_twin(layers: list[AbstractLayer], group: PointGroup, factor: float) -> list[AbstractLayer]:
    twin: list[AbstractLayer] = []
    *body, reading, head = layers
    for layer in body:
        if isinstance(layer, Conv) and len(layer.window) == 2:
            make = GroupConv if twin else Lift
            kept = {"strides": layer.steps, "padding": layer.padding}
            twin.append(make(group, _scaled(layer.width, factor), layer.window, **kept, **_scales(layer)))
        elif isinstance(layer, Dense):
            make = GroupConv if twin else Lift
            twin.append(make(group, _scaled(layer.width, factor), 1, **_scales(layer)))
        else:
            twin.append(_pointwise(layer))
    if not twin or not isinstance(twin[0], Lift):
        raise ValueError(f"impose expected a network that starts with Conv or Flatten, got {layers[0]!r}; change it.")
    if isinstance(reading, GlobalAvgPool):
        return [*twin, GroupPool(), head]
    if isinstance(reading, Flatten):
        assert isinstance(head, Dense)
        return [*twin, GroupConv(group, head.width, "all", **_scales(head)), GroupPool()]
    raise ValueError(f"impose expected GlobalAvgPool or Flatten before the last Dense, got {reading!r}; change it.")


def _pointwise(layer: AbstractLayer) -> AbstractLayer:
    if isinstance(layer, AbstractActivation):
        return layer
    raise ValueError(
        "impose expected Conv, Dense and nonlinearities, then GlobalAvgPool or Flatten, then one last Dense, got "
        f"{layer!r} before that end; leave it out."
    )


def _scales(layer: Conv | Dense) -> dict:
    return {name: getattr(layer, name) for name in SCALES}


def _scaled(n: int, factor: float) -> int:
    return max(1, round(n * factor))
