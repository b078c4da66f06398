"""What works with what: layers x analyses. `python tests/support.py` prints the table in docs/support.md,
then that of accuracy in docs/kernels.md.

A cell is what its analysis returns for an example of the layer; where the analysis raises NotImplementedError the
reason stands in `UNSUPPORTED`. `test_support.py` walks all of it.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.random as jr

from equitangents import equivariant, kernel, nets, nngp_and_ntk, sphere
from equitangents.equivariant import ActionLift, GroupConv, GroupPool, Lift, RegularConv
from equitangents.groups import cyclic, permutation_action
from equitangents.kernels import empirical_ntk
from equitangents.kernels.activations import method_of
from equitangents.nets import (
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
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    LayerNorm,
    Masked,
    MaxPool,
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
    mup,
    output_shape,
)
from equitangents.sphere import SO2, SO3, RotationConv, RotationLift, RotationPool, RotationProjection

VECTOR, SIGNAL, IMAGE = (3,), (4, 2), (4, 4, 1)
CIRCLE, SPHERE, TURNS = (3, 1), (4, 1), SO2(3)
SHIFT = permutation_action(cyclic(3), [[(i + g) % 3 for i in range(3)] for g in range(3)], axis=-2)

# name of the class: the smallest network that shows it, and the shape of one example
EXAMPLES: dict[str, tuple[nets.AbstractLayer, tuple[int, ...]]] = {
    "Dense": (Serial(Dense(4, sigma_b=0.5), Relu(), Dense(2)), VECTOR),
    "Conv": (Serial(Conv(4, 2, sigma_b=0.5), Relu(), Conv(2, 2)), SIGNAL),
    "Flatten": (Serial(Conv(4, 2), Relu(), Flatten()), SIGNAL),
    "AvgPool": (Serial(Conv(4, 2), AvgPool(2)), SIGNAL),
    "GlobalAvgPool": (Serial(Conv(4, 2), GlobalAvgPool()), SIGNAL),
    "LayerNorm": (Serial(Dense(8), LayerNorm()), VECTOR),
    "Serial": (Serial(Dense(4), Relu(), Dense(2)), VECTOR),
    "Residual": (Serial(Dense(4), Residual(Relu(), Dense(4))), VECTOR),
    "Parallel": (Parallel(Serial(Dense(4), Relu(), Dense(2)), Dense(2)), VECTOR),
    "ConvTranspose": (Serial(ConvTranspose(2, 3, 2)), SIGNAL),
    "ConvLocal": (Serial(ConvLocal(2, 3)), SIGNAL),
    "DepthwiseConv": (Serial(DepthwiseConv(2)), SIGNAL),
    "SumPool": (Serial(Conv(2, 1), SumPool(2)), SIGNAL),
    "GlobalSumPool": (Serial(Conv(2, 1), GlobalSumPool()), SIGNAL),
    "MaxPool": (Serial(Conv(2, 1), MaxPool(2)), SIGNAL),
    "Slice": (Serial(Conv(2, 1), Slice(-1)), SIGNAL),
    "SiteMap": (Serial(Conv(2, 1), SiteMap(((0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 1.0, 2.0)))), SIGNAL),
    "Concatenate": (Serial(Dense(4), Concatenate(Serial(Relu(), Dense(2)), Dense(2))), VECTOR),
    "Product": (Serial(Dense(4), Product(Serial(Relu(), Dense(2)), Dense(2))), VECTOR),
    "Dropout": (Serial(Dense(4), Dropout(0.5), Dense(2)), VECTOR),
    "Embedding": (Serial(Embedding(5, 2)), (4, 1)),
    "Recurrent": (Serial(Recurrent(Dense(4), Relu(), Dense(4)), Slice(-1), Dense(2)), SIGNAL),
    "Attention": (Serial(Attention(Dense(2), Dense(2), Dense(2)), GlobalAvgPool()), SIGNAL),
    "Positions": (Serial(Conv(2, 1), Positions(0.5)), SIGNAL),
    "Shared": (Serial(Dense(4), Shared(Relu(), Dense(4), times=2)), VECTOR),
    "Masked": (Serial(Masked(0.0, Conv(2, 2), GlobalAvgPool())), SIGNAL),
    "MaximalUpdate": (mup(Serial(Dense(4), Relu(), Dense(2)), VECTOR), VECTOR),
    "Lift": (Lift("C2", 2, 3), IMAGE),
    "GroupConv": (Serial(Lift("C2", 2, 1), Relu(), GroupConv("C2", 2, 3)), IMAGE),
    "GroupPool": (Serial(Lift("C2", 2, 1), GroupPool()), IMAGE),
    "ActionLift": (ActionLift(SHIFT, 2), (3, 1)),
    "RegularConv": (Serial(ActionLift(SHIFT, 2), Relu(), RegularConv(cyclic(3), 2)), (3, 1)),
    "RotationLift": (Serial(RotationLift(SO3(2), 2), RotationPool(SO3(2))), SPHERE),
    "RotationConv": (Serial(RotationLift(TURNS, 2), Relu(), RotationConv(TURNS, 2), RotationPool(TURNS)), CIRCLE),
    "RotationPool": (Serial(RotationLift(SO3(2), 2, cap=1.0), Relu(), RotationPool(SO3(2))), SPHERE),
    "RotationProjection": (Serial(RotationLift(SO3(2), 2), Relu(), RotationProjection(SO3(2), 1)), SPHERE),
}
ACTIVATIONS = [
    name
    for name, value in vars(nets).items()
    if isinstance(value, type) and issubclass(value, nets.AbstractActivation) and not name.startswith("Abstract")
]
ARGUMENTS = {
    "Activation": (jnp.arctan,),
    "AbRelu": (-0.4, 1.3),
    "Exp": (0.6, 0.5),  # of 1, variances of deep networks overflow
    "Hermite": (3,),
    "Monomial": (2,),
    "Polynomial": ((0.3, 1.0, -0.5),),
    "RectifiedMonomial": (2,),
}
EXAMPLES |= {
    name: (Serial(Dense(4), getattr(nets, name)(*ARGUMENTS.get(name, ()))), VECTOR) for name in sorted(ACTIVATIONS)
}

TOKENS = {"Embedding"}  # their examples are integers

# (class, analysis): why not
UNSUPPORTED = {
    ("MaximalUpdate", analysis): "features move in that limit"
    for analysis in ("nngp, ntk", "gradients at x1 = x2", "float32 near x1 = x2")
} | {
    ("ExpNormalized", analysis): "no function of one number divides by its own deviation"
    for analysis in ("finite network", "empirical_ntk")
}
UNSUPPORTED |= {("MaxPool", a): "no kernel in closed form" for name, a in [*UNSUPPORTED] if name == "MaximalUpdate"}
UNSUPPORTED |= {("Embedding", "gradients at x1 = x2"): "tokens are integers"}
UNSUPPORTED |= {("Embedding", "float32 near x1 = x2"): "tokens are integers"}


def finite(name: str) -> str:
    """`init` and `apply` agree on the shape, for one example."""
    net, shape = EXAMPLES[name]
    x = jnp.ones(shape, int if name in TOKENS else float)
    out = jax.jit(lambda key, x: net.apply(net.init(key, shape)[1], x))(jr.key(0), x)
    assert out.shape == output_shape(net, shape) and jnp.all(jnp.isfinite(out))
    return "yes"


def infinite(name: str) -> str:
    """Both kernels of an input with itself."""
    if name in TOKENS:
        total = jnp.sum(jnp.stack(nngp_and_ntk(EXAMPLES[name][0], jnp.arange(8).reshape(2, 4, 1) % 5)))
    else:
        total, _, _ = _differentiated(name)
    assert jnp.isfinite(total) and total != 0
    net = EXAMPLES[name][0]
    last = net.layers[-1] if isinstance(net, Serial) else net
    return method_of(last).replace("quad", "by quad").replace("ser", "by ser") if name in ACTIVATIONS else "closed form"


def gradients(name: str) -> str:
    """Derivatives of both kernels with respect to an input, at x1 = x2."""
    _refuse_tokens(name)
    _, slope, _ = _differentiated(name)
    assert jnp.all(jnp.isfinite(slope)) and jnp.any(slope != 0)
    return "yes"


def nearby(name: str) -> str:
    """Whether the angle defect of inputs 1e-3 apart keeps its digits in float32, where 1 - cos loses them all."""
    _refuse_tokens(name)
    double = _differentiated(name)[2]
    single = kernel(EXAMPLES[name][0], *(x.astype("float32") for x in _pair(name, 1e-3))).d.astype(double.dtype)
    error = jnp.max(jnp.abs(single - double) / jnp.maximum(double, 1e-12))
    return "full" if error < 1e-2 else "ordinary"


def empirical(name: str) -> str:
    """The trace of the empirical kernel of one finite network."""
    net, shape = EXAMPLES[name]
    params = net.init(jr.key(0), shape)[1]
    x = jr.randint(jr.key(1), (2, *shape), 0, 5) if name in TOKENS else jr.normal(jr.key(1), (2, *shape))
    gram = empirical_ntk(net.apply, params, x)
    assert gram.shape == (2, 2) and jnp.all(jnp.isfinite(gram))
    return "yes"


ANALYSES: dict[str, Callable[[str], str]] = {
    "finite network": finite,
    "empirical_ntk": empirical,
    "nngp, ntk": infinite,
    "gradients at x1 = x2": gradients,
    "float32 near x1 = x2": nearby,
}


def cell(name: str, analysis: str) -> str:
    """The entry of the table."""
    reason = UNSUPPORTED.get((name, analysis))
    return f"no: {reason}" if reason else ANALYSES[analysis](name)


def public_layers() -> set[str]:
    """Every class of layer that a user can make."""
    found = {**vars(nets), **vars(equivariant), **vars(sphere)}.items()
    layers = {name for name, value in found if isinstance(value, type) and issubclass(value, nets.AbstractLayer)}
    return {name for name in layers if not name.startswith("Abstract")} | {"MaximalUpdate"}


def table() -> str:
    """Markdown; computed in float64 as far as the analysis does not say otherwise."""
    rows = [["layer", *ANALYSES], ["---"] * (1 + len(ANALYSES))]
    rows += [[f"`{name}`", *(cell(name, analysis) for analysis in ANALYSES)] for name in EXAMPLES]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def single_precision_error(name: str) -> float:
    """Of both kernels in float32 with three hidden layers of this nonlinearity: the largest, of sqrt(k11 k22).

    Over eight inputs, eight that are 1e-3 from them and eight 1.001 times as large.
    """
    phi = EXAMPLES[name][0].layers[-1]
    net = Serial(*[Dense(1, 1.2, 0.3), phi] * 3, Dense(1))
    x, step = jr.normal(jr.key(0), (2, 8, 10), "float32")
    x = jnp.concatenate([x, x + jnp.float32(1e-3) * step, jnp.float32(1.001) * x])
    single, double = (jnp.stack(nngp_and_ntk(net, x.astype(dtype))) for dtype in ("float32", "float64"))
    size = jnp.sqrt(jax.vmap(jnp.diag)(double))
    return float(jnp.max(jnp.abs(single.astype(double.dtype) - double) / (size[:, :, None] * size[:, None, :])))


def error_bound(error: float) -> str:
    """Twice the error, rounded up to 1, 2 or 5: machines round differently."""
    power = 10.0 ** math.floor(math.log10(2 * error))
    return f"{power * next(step for step in (1, 2, 5, 10) if step * power >= 2 * error):.0e}"


def accuracy_table() -> str:
    """Markdown: nonlinearities by how their expectations are found, with bounds of their errors in float32."""
    lines = ["| nonlinearity | expectations | error in float32 |", "| --- | --- | --- |"]
    for method, name in sorted((method_of(EXAMPLES[name][0].layers[-1]), name) for name in ACTIVATIONS):
        lines.append(f"| `{name}` | {method} | {error_bound(single_precision_error(name))} |")
    return "\n".join(lines) + "\n"


def _refuse_tokens(name: str) -> None:
    if name in TOKENS:
        raise NotImplementedError(
            "tokens are integers: nothing to differentiate by, and no inputs that nearly coincide"
        )


def _pair(name: str, distance: float) -> tuple[jax.Array, jax.Array]:
    """Three inputs and three at this distance from them, in float64, with the digits of float32."""
    x, step = jr.normal(jr.key(0), (2, 3, *EXAMPLES[name][1]), "float32")
    near = x + jnp.asarray(distance, "float32") * step
    return x.astype("float64"), near.astype("float64")


@functools.cache
def _differentiated(name: str) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sum of both kernels at x1 = x2, its derivative by x1, and by one program the angle defect 1e-3 apart."""

    def total(x1: jax.Array, x2: jax.Array) -> tuple[jax.Array, jax.Array]:
        k = kernel(EXAMPLES[name][0], x1, x2)
        return jnp.sum(k.k12) + jnp.sum(k.ntk), k.d

    compiled = jax.jit(jax.value_and_grad(total, has_aux=True))
    (value, _), slope = compiled(*_pair(name, 0.0))
    return value, slope, compiled(*_pair(name, 1e-3))[0][1]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(table())
    print(accuracy_table(), end="")
