"""Tables of constructed examples. One line here puts a layer or a nonlinearity under every law."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import jax.random as jr

from equitangents import nets
from equitangents.nets import (
    Abs,
    Attention,
    AvgPool,
    Concatenate,
    Conv,
    ConvLocal,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Embedding,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    LayerNorm,
    Masked,
    Parallel,
    Positions,
    Product,
    Recurrent,
    Relu,
    Residual,
    Serial,
    Shared,
    SiteMap,
    Slice,
    SumPool,
)


def smooth_step(z):
    return z / jnp.sqrt(1 + z**2)


def decaying(d):
    return jnp.exp(-0.3 * d)


ACTIVATIONS = {
    "identity": nets.Identity(),
    "relu": nets.Relu(),
    "leaky relu": nets.LeakyRelu(0.3),
    "abs": nets.Abs(),
    "a b relu": nets.AbRelu(-0.4, 1.3),
    "sign": nets.Sign(),
    "erf": nets.Erf(),
    "erf shifted": nets.Erf(1.5, 0.7, 0.4),
    "gelu": nets.Gelu(),
    "sin": nets.Sin(),
    "sin shifted": nets.Sin(1.2, 0.8, 0.5),
    "cos": nets.Cos(),
    "cos shifted": nets.Cos(0.7, 1.3, -0.2),
    "rbf": nets.Rbf(0.6),
    "exp": nets.Exp(0.8, 0.5),
    "gaussian": nets.Gaussian(1.2, 0.7),
    "gabor": nets.Gabor(),
    "exp normalized": nets.ExpNormalized(0.7, -0.5),
    "hermite": nets.Hermite(3),
    "monomial": nets.Monomial(2),
    "polynomial": nets.Polynomial((0.3, 1.0, -0.5, 0.2)),
    "rectified step": nets.RectifiedMonomial(0),
    "rectified square": nets.RectifiedMonomial(2),
    "rectified cube": nets.RectifiedMonomial(3),
    "tanh": nets.Tanh(),
    "sigmoid": nets.Sigmoid(),
    "silu": nets.Silu(),
    "softplus": nets.Softplus(),
    "mish": nets.Mish(),
    "elu": nets.Elu(0.8),
    "selu": nets.Selu(),
    "user's": nets.Activation(smooth_step),
}
SERIES = ["tanh", "sigmoid", "silu", "softplus", "mish", "user's"]
QUADRATURES = ["elu", "selu"]
CLOSED_FORMS = [name for name in ACTIVATIONS if name not in SERIES + QUADRATURES]
JUMPS = ["sign", "rectified step"]
"""Their derivative is 0 wherever JAX looks."""


class Case(NamedTuple):
    """A network of hidden width n for examples of a shape.

    `unbiased`: the mean over networks of finite width has the kernels of infinite width. So it is where nonlinearities
    act only on Gaussian preactivations: after one random layer, with nothing but sums and weights behind.
    `tokens`: examples are integers below this number; 0 for floating point numbers.
    """

    make: Callable[[int], nets.AbstractLayer]
    shape: tuple[int, ...]
    unbiased: bool = True
    tokens: int = 0

    def examples(self, key, n=2):
        """A batch of n random examples."""
        shape = (n, *self.shape)
        if self.tokens:
            return jr.randint(key, shape, 0, self.tokens)
        x = jr.normal(key, shape)
        return x.at[0, -2:].set(0) if isinstance(self.make(1), Masked) else x


VECTOR, SIGNAL, IMAGE, VOLUME = (3,), (5, 2), (4, 3, 2), (3, 2, 3, 1)


NETS = {
    "dense": Case(lambda n: Dense(3, 1.2, 0.5), VECTOR),
    "dense, linear, deep": Case(lambda n: Serial(Dense(n, 1.2, 0.5), Dense(n, sigma_b=0.2), Dense(2)), VECTOR),
    "dense at sites": Case(lambda n: Serial(Dense(n, 1.2, 0.5), Relu(), Dense(2)), SIGNAL),
    "rates": Case(lambda n: Serial(Dense(n, 1.2, 0.3, 0.5, 2.0), Relu(), Dense(2, 0.8, 0.2, 3.0, 0.7)), VECTOR),
    "frozen body": Case(lambda n: Serial(Dense(n, 1.2, 0.3, 0.0, 0.0), Relu(), Dense(2)), VECTOR),
    "frozen head": Case(lambda n: Serial(Dense(n, 1.2, 0.3), Relu(), Dense(2, 1.1, 0.3, 0.0, 0.0)), VECTOR),
    "head from zero": Case(lambda n: Serial(Dense(n, 1.2), Relu(), Dense(2, 0.0, 0.0, 1.5, 0.6)), VECTOR),
    "two hidden layers": Case(
        lambda n: Serial(Dense(n, 1.4, 0.3), Relu(), Dense(n, 1.2, 0.3), Erf(), Dense(2)), VECTOR, False
    ),
    "conv 1d same": Case(lambda n: Serial(Conv(n, 3, sigma_w=1.3, sigma_b=0.2), Relu(), Flatten(), Dense(2)), SIGNAL),
    "conv 1d strided": Case(lambda n: Serial(Conv(n, 2, 2), Erf(), Conv(2, 2, padding="VALID")), SIGNAL),
    "conv 2d valid": Case(lambda n: Serial(Conv(n, (2, 2), padding="VALID"), Relu(), Flatten(), Dense(2)), IMAGE),
    "conv 2d circular": Case(
        lambda n: Serial(Conv(n, (3, 2), padding="CIRCULAR", sigma_b=0.3), Relu(), GlobalAvgPool(), Dense(2)), IMAGE
    ),
    "conv 3d": Case(lambda n: Serial(Conv(n, (2, 1, 2)), Relu(), Flatten(), Dense(2)), VOLUME),
    "conv rates": Case(
        lambda n: Serial(Conv(n, 2, sigma_b=0.3, lambda_w=2.0, lambda_b=0.0), Erf(), Conv(2, 2, lambda_b=0.5)), SIGNAL
    ),
    "avg pool": Case(lambda n: Serial(Conv(n, (3, 3)), Relu(), AvgPool((2, 2)), Flatten(), Dense(2)), IMAGE),
    "avg pool overlapping": Case(
        lambda n: Serial(Conv(n, 3), Relu(), AvgPool(3, 1, "SAME"), Conv(2, 2, padding="CIRCULAR")), SIGNAL
    ),
    "layer norm": Case(lambda n: Serial(Dense(n, 1.2, 0.4), LayerNorm(), Relu(), Dense(2)), VECTOR, False),
    "residual": Case(lambda n: Serial(Dense(n, 1.2, 0.4), Residual(Relu(), Dense(n, 0.9, 0.3)), Dense(2)), VECTOR),
    "parallel": Case(
        lambda n: Parallel(Serial(Dense(n), Relu(), Dense(2)), Serial(Dense(n, 1.3, 0.2), Abs(), Dense(2))), VECTOR
    ),
    "conv, pool, nonlinearity": Case(
        lambda n: Serial(Conv(n, 3), Relu(), AvgPool(2), Conv(n, 2, sigma_b=0.2), Erf(), GlobalAvgPool(), Dense(2)),
        SIGNAL,
        False,
    ),
    "residual conv": Case(
        lambda n: Serial(Conv(n, 3), Residual(Relu(), Conv(n, 3, sigma_b=0.2)), Relu(), GlobalAvgPool(), Dense(2)),
        SIGNAL,
        False,
    ),
    "dilated, transposed": Case(
        lambda n: Serial(Conv(n, 2, sigma_b=0.2, dilation=2), Relu(), ConvTranspose(2, 3, 2, sigma_b=0.3)), SIGNAL
    ),
    "local, sums": Case(
        lambda n: Serial(
            ConvLocal(n, 3, sigma_b=0.2),
            Relu(),
            SumPool(2, 1),
            AvgPool(3, 2, "SAME", normalize_edges=True),
            GlobalSumPool(),
            Dense(2),
        ),
        SIGNAL,
    ),
    "maps of sites": Case(
        lambda n: Serial(
            Conv(n, 2), Relu(), Slice((1, None, 2)), SiteMap(((1.0, -0.5), (0.3, 0.0), (0.0, 2.0))), Dense(2)
        ),
        SIGNAL,
    ),
    "depthwise": Case(
        lambda n: Serial(
            Conv(n, 2), Relu(), DepthwiseConv((3,), 2, sigma_b=0.2), Dense(n), Relu(), Flatten(), Dense(2)
        ),
        SIGNAL,
        False,
    ),
    "branches": Case(
        lambda n: Serial(
            Dense(n, sigma_b=0.4),
            Concatenate(Product(Serial(Relu(), Dense(n, 1.2)), Dense(n, 1.3, 0.2)), Dense(2 * n, 0.8)),
            Dense(n),
            Relu(),
            Dense(2),
        ),
        VECTOR,
        False,
    ),
    "recurrent": Case(
        lambda n: Serial(
            Recurrent(Dense(n, 1.0, 0.3), Erf(), Dense(n, 1.2, 0.2)),
            Recurrent(Dense(n, lambda_w=2.0), Relu(), Dense(n, 0.9)),
            Slice((1, None, None)),
            GlobalAvgPool(),
            Dense(2),
        ),
        (4, 2),
        False,
    ),
    "attention": Case(
        lambda n: Serial(
            Dense(n, sigma_b=0.3),
            Relu(),
            Attention(Dense(n, 1.5), Dense(n), Dense(n, 1.2, 0.2), heads=2),
            Relu(),
            GlobalAvgPool(),
            Dense(2),
        ),
        SIGNAL,
        False,
    ),
    "positions": Case(
        lambda n: Serial(
            Conv(n, 2),
            Positions(0.7, decay=decaying),
            Relu(),
            Positions(0.6, 2.0, share=0.5),
            Dense(2),
        ),
        SIGNAL,
    ),
    "attention with positions": Case(
        lambda n: Serial(
            Dense(n, sigma_b=0.3),
            Attention(Dense(n, 1.5), Dense(n), Dense(n, 1.2, 0.2), positions=Positions(0.8, share=0.5)),
            GlobalAvgPool(),
        ),
        SIGNAL,
        False,
    ),
    "shared": Case(
        lambda n: Serial(Dense(n, 1.2, 0.3), Shared(Erf(), Dense(n, 1.3, 0.3), times=3), Erf(), Dense(2)), VECTOR, False
    ),
    "masked attention": Case(
        lambda n: Masked(
            0.0,
            Dense(n, sigma_b=0.3),
            Attention(Dense(n, 1.5), Dense(n, sigma_b=0.2), Dense(n, 1.2, 0.2)),
            GlobalAvgPool(),
            Dense(2),
        ),
        SIGNAL,
        False,
    ),
    "masked recurrent": Case(
        lambda n: Masked(0.0, Recurrent(Dense(n, 1.0, 0.3), Erf(), Dense(n, 1.2, 0.2)), GlobalAvgPool(), Dense(2)),
        (4, 2),
        False,
    ),
    "masked": Case(lambda n: Masked(0.0, Conv(n, 3, sigma_b=0.2), Relu(), GlobalAvgPool(), Dense(2)), SIGNAL),
    "tokens": Case(
        lambda n: Serial(Embedding(5, n, 1.2, 0.3), Relu(), Dropout(0.3, training=False), Conv(2, 2)), (4, 1), True, 5
    ),
}
"""Every layer, alone and combined."""
