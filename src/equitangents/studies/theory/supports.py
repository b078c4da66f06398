"""Convolutions confined to a support, and a norm over sites: the layers of Nordenfors and Flinth (2024)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from ...groups import PointGroup
from ...nets import AbstractLayer, AbstractWeighted, AvgPool, Dense, Flatten, Serial, Tanh, output_shape
from ...nets.base import Params, Scalar, Shape, check_shape
from ...symmetry import moved_weights
from ...symmetry.closed import Place

Mask = tuple[tuple[bool, ...], ...]
SIGMA = 1.5  # tanh keeps about this variance


class SupportConv(AbstractWeighted):
    r"""Convolution $z_i(t) = \sigma_w (c|S|)^{-1/2} \sum_{j, s \in S} W_{ij}(s) x_j(t + s)$ with weights on S only.

    S is any set of places in a window, zeros pad the border. Weights outside `start` begin at zero and are trained.

    Attributes:
        width: output channels.
        support: where there are weights, rows of booleans, odd sides.
        start: where they are drawn from the prior, a part of the support; None: everywhere.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = channels * |S|.
    """

    width: int = eqx.field(static=True)
    support: Mask = eqx.field(static=True)
    start: Mask | None = eqx.field(static=True, default=None)
    sigma_w: Scalar = eqx.field(default=1.0)
    sigma_b: Scalar = eqx.field(default=0.0)
    lambda_w: Scalar | None = eqx.field(default=None)
    lambda_b: Scalar | None = eqx.field(default=None)

    def __init__(self, width: int, support: Mask, start: Mask | None = None, sigma_w: Scalar = 1.0):
        self.width, self.support, self.start, self.sigma_w = width, support, start, sigma_w
        self.sigma_b, self.lambda_w, self.lambda_b = 0.0, None, None

    @property
    def places(self) -> np.ndarray:
        """Of the support in its window, (|S|, 2)."""
        return np.argwhere(self.support)

    def fan_in(self, shape: Shape) -> int:
        return shape[-1] * len(self.places)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=2)
        params = self.draw(key, (len(self.places), shape[-1], self.width))
        if self.start is not None:
            drawn = np.asarray(self.start)[tuple(self.places.T)]
            params["w"] = params["w"] * jnp.asarray(drawn, params["w"].dtype)[:, None, None]
        return (*shape[:-1], self.width), params

    def apply(self, params: Params, x: Array) -> Array:
        height, width = x.shape[:2]
        rows, columns = np.shape(self.support)
        padded = jnp.pad(x, [(rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)])
        inputs = jnp.concatenate([padded[i : i + height, j : j + width] for i, j in self.places.tolist()], axis=-1)
        return self.combine(params, lambda w: inputs @ w.reshape(-1, self.width), x, self.fan_in(x.shape))


@moved_weights.register(SupportConv)
def _(layer: SupportConv, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    """Turned filters; weights that leave the support must be zero, or the members are no orbit, which is checked."""
    assert place.action is not None and isinstance(place.action.group, PointGroup)
    places, w = tuple(layer.places.T), params["w"]
    window = jnp.zeros((w.shape[-1], *np.shape(layer.support), w.shape[1]), w.dtype)
    window = window.at[:, *places].set(jnp.moveaxis(w, -1, 0))
    turned = place.action(int(place.action.group.inverse[g]), window)
    return params | {"w": jnp.moveaxis(turned[:, *places], 0, -1)}, place._replace(
        shape=output_shape(layer, place.shape)
    )


class SiteNorm(AbstractLayer):
    r"""$(x - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}$ over the sites of each channel, without parameters.

    Attributes:
        epsilon: added to the variance.
    """

    epsilon: float = 1e-5

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=2)
        return shape, {}

    def apply(self, params: Params, x: Array) -> Array:
        centred = x - jnp.mean(x, axis=(0, 1), keepdims=True)
        variance = jnp.mean(centred**2, axis=(0, 1), keepdims=True)
        return centred * lax.rsqrt(variance + jnp.asarray(self.epsilon, x.dtype))


@moved_weights.register(SiteNorm)
def _(layer: SiteNorm, params: Params, place: Place, g: int) -> tuple[Params, Place]:
    return params, place


def mask(*rows: str) -> Mask:
    """Rows of a picture, x where there are weights.

    >>> mask("x.", ".x")
    ((True, False), (False, True))
    """
    return tuple(tuple(place == "x" for place in row) for row in rows)


CROSS = mask(".x.", "xxx", ".x.")
ARMS_ONLY = mask(".x.", "x.x", ".x.")
ARMS_AND_CORNER = mask("xx.", "x.x", ".x.")
SQUARE = mask("xxx", "xxx", "xxx")

SUPPORTS: dict[str, tuple[Mask, Mask | None]] = {  # support, and where weights start from the prior
    "SYM": (CROSS, None),
    "SYMINIT": (ARMS_AND_CORNER, ARMS_ONLY),
    "ASYM": (ARMS_AND_CORNER, None),
    "CNN": (SQUARE, None),
}


def support_net(name: str, channels: int, classes: int) -> Serial:
    """Three convolutions on one support, each with tanh, the first two with means over 2 x 2; then a linear layer."""
    support, start = SUPPORTS[name]
    layers: list[Any] = []
    for pooled in (True, True, False):
        layers += [SupportConv(channels, support, start, sigma_w=SIGMA), Tanh()]
        layers += [AvgPool((2, 2))] if pooled else []
        layers += [SiteNorm()]
    return Serial(*layers, Flatten(), Dense(classes))
