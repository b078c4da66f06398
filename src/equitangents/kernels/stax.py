"""A description in the shape of neural-tangents: three functions, `init_fn`, `apply_fn`, `kernel_fn`."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import jax
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractLayer
from ..nets.base import Params, Shape
from .driver import nngp, nngp_and_ntk, ntk

NAMES = ("nngp", "ntk")


def as_stax(net: Any) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """`init_fn, apply_fn, kernel_fn` of a network, called as those of `neural_tangents.stax.serial`.

    `init_fn(key, (-1, *shape))` returns the shape of the output, its batch axis -1, and parameters;
    `apply_fn(params, x)` takes a batch x of shape (n, *shape); `kernel_fn(x1, x2=None, get=None)` returns an array for
    get="nngp" or get="ntk", and for a tuple of these, or None for both, a named tuple of arrays.

    Numbers follow this library: arrays of kernels have shape (n1, n2), one number for each pair, and parameters count
    with the learning-rate factors of the description (by default the NTK parameterisation).

    Raises:
        TypeError: if `net` is no description.
        ValueError: `init_fn` for a shape without a batch axis of -1; `kernel_fn` for an unknown `get`.

    >>> import jax, jax.numpy as jnp
    >>> from equitangents import Dense, Relu, Serial
    >>> init_fn, apply_fn, kernel_fn = as_stax(Serial(Dense(8), Relu(), Dense(1)))
    >>> out_shape, params = init_fn(jax.random.key(0), (-1, 3))
    >>> out_shape, apply_fn(params, jnp.ones((2, 3))).shape, float(kernel_fn(jnp.ones((1, 3)), None, "ntk")[0, 0])
    ((-1, 1), (2, 1), 1.0)
    """
    if not isinstance(net, AbstractLayer):
        raise TypeError(f"expected a description such as Serial(Dense(64), Relu(), Dense(1)), got {net!r}.")

    def init_fn(key: PRNGKeyArray, input_shape: Shape) -> tuple[Shape, Params]:
        if not input_shape or input_shape[0] != -1:
            raise ValueError(
                f"expected input_shape with a batch axis of -1 first, such as (-1, 784); got {tuple(input_shape)}."
            )
        # an old-style key, an array of two integers, as that library takes them
        key = key if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) else jr.wrap_key_data(key)
        shape, params = net.init(key, tuple(input_shape[1:]))
        return (-1, *shape), params

    def apply_fn(params: Params, x: Array, **_: Any) -> Array:
        return jax.vmap(net.apply, in_axes=(None, 0))(params, x)

    def kernel_fn(x1: Array, x2: Array | None = None, get: str | tuple[str, ...] | None = None) -> Any:
        wanted = NAMES if get is None else (get,) if isinstance(get, str) else tuple(get)
        if unknown := [name for name in wanted if name not in NAMES]:
            raise ValueError(f"expected get as 'nngp', 'ntk', a tuple of these or None; got {unknown[0]!r}.")
        if isinstance(get, str):
            return nngp(net, x1, x2) if get == "nngp" else ntk(net, x1, x2)
        if set(wanted) == set(NAMES):
            both = dict(zip(NAMES, nngp_and_ntk(net, x1, x2), strict=True))
        else:
            both = {name: nngp(net, x1, x2) if name == "nngp" else ntk(net, x1, x2) for name in wanted}
        return _pair(wanted)(*(both[name] for name in wanted))

    return init_fn, apply_fn, kernel_fn


def _pair(names: tuple[str, ...]) -> Any:
    return {("nngp", "ntk"): _Both, ("ntk", "nngp"): _Reversed, ("nngp",): _Nngp, ("ntk",): _Ntk}[names]


# made once, so that the structure of a result is the same in every call
_Both = namedtuple("Kernels", ["nngp", "ntk"])  # type: ignore[name-match]
_Reversed = namedtuple("Kernels", ["ntk", "nngp"])  # type: ignore[name-match]
_Nngp = namedtuple("Kernels", ["nngp"])  # type: ignore[name-match]
_Ntk = namedtuple("Kernels", ["ntk"])  # type: ignore[name-match]
