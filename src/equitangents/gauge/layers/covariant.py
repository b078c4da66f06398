r"""What gauge equivariant layers pass on: links, and matrices that transform like plaquettes.

$$U_\mu(x) \to \Omega(x)^\dagger U_\mu(x) \Omega(x + \hat\mu), \qquad
W_c(x) \to \Omega(x)^\dagger W_c(x) \Omega(x)$$

One example is an array of links (*sites, D, N, N), complex, or such `Links`; `Plaquettes` is the first layer. Shapes
that descriptions are told are those of the matrices, (*sites, channels, N, N).
"""

from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, PRNGKeyArray

from ...kernels import Kernel, Needs, needs, propagate
from ...nets import AbstractLayer
from ...nets.base import Params, Shape
from ..links import Links, dagger, described
from ..loops import plaquettes, polyakov_loops


class Covariant(eqx.Module):
    """Attributes:
    links: (*sites, D, N, N).
    matrices: (*sites, channels, N, N).
    """

    links: Complex[Array, "..."]
    matrices: Complex[Array, "..."]

    def with_matrices(self, matrices: Array) -> "Covariant":
        """The same links beside other matrices."""
        return Covariant(self.links, matrices)


class AbstractGaugeLayer(AbstractLayer):
    """A layer that passes on links and matrices: without a kernel at infinite width."""


@propagate.register(AbstractGaugeLayer)
def _(layer: AbstractGaugeLayer, k: Kernel) -> NoReturn:
    raise _no_kernel(layer)


@needs.register(AbstractGaugeLayer)
def _(layer: AbstractGaugeLayer, after: Needs) -> NoReturn:
    raise _no_kernel(layer)


def _no_kernel(layer: AbstractLayer) -> NotImplementedError:
    return NotImplementedError(
        f"{type(layer).__name__} is a gauge layer, and gauge layers have no kernel at infinite width here; "
        "empirical_ntk(net.apply, params, links.array) is that of the finite network."
    )


class Plaquettes(AbstractGaugeLayer):
    """The first layer: links (*sites, D, N, N) to plaquettes of all planes, D (D - 1) / 2 channels.

    Batches are `jax.vmap` over an array, or over `Links` with one leading axis.

    Attributes:
        polyakov: add the D Polyakov loops; without them no winding around the lattice can be seen.
    """

    polyakov: bool = eqx.field(static=True, default=False)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        _check_lattice(shape)
        dim = shape[-3]
        channels = dim * (dim - 1) // 2 + (dim if self.polyakov else 0)
        return (*shape[:-3], channels, *shape[-2:]), {}

    def apply(self, params: Params, x: Array | Links) -> Covariant:
        if isinstance(x, Covariant):
            raise TypeError("Plaquettes expected links, got what a gauge layer passes on; put it first, and once.")
        array = x.array if isinstance(x, Links) else x
        _check_lattice(array.shape)
        links = Links(array, f"U({array.shape[-1]})")
        loops = [plaquettes(links), *([polyakov_loops(links)] if self.polyakov else [])]
        return Covariant(jnp.asarray(array), jnp.concatenate(loops, axis=-3))


def check_covariant(owner: AbstractLayer, x: Any) -> None:
    """Raise unless x is what gauge layers pass on."""
    if not isinstance(x, Covariant):
        raise TypeError(
            f"{type(owner).__name__} expected matrices beside their links, got {described(x)}; put Plaquettes() first."
        )


def _check_lattice(shape: Any) -> None:
    _check_kind("Plaquettes", shape)
    if len(shape) < 5 or shape[-1] != shape[-2] or shape[-3] != len(shape) - 3:
        raise ValueError(
            f"Plaquettes expected links of one lattice, (*sites, D, N, N) with D >= 2 axes of sites, got shape "
            f"{tuple(shape)}; give a single example, without a batch axis, which jax.vmap takes."
        )


def _check_kind(name: str, shape: Any) -> None:
    if isinstance(shape, Links | np.ndarray | jax.Array):
        raise TypeError(
            f"{name} expected the shape of one example, got {described(shape)}; give links.array.shape, without the "
            "axes of a batch."
        )


def check_matrices(owner: AbstractLayer, shape: Any) -> int:
    """The number of channels; raises unless `shape` is (*sites, channels, N, N)."""
    _check_kind(type(owner).__name__, shape)
    if len(shape) < 4 or shape[-1] != shape[-2]:
        raise ValueError(
            f"{type(owner).__name__} expected matrices at each site, (*sites, channels, N, N), got shape "
            f"{tuple(shape)}; put Plaquettes() before it."
        )
    return shape[-3]


def enlarged(w: Array) -> Array:
    r"""$W_1, \dots, W_C, W_1^\dagger, \dots, W_C^\dagger, 1$: (*sites, C, N, N) to (*sites, 2 C + 1, N, N)."""
    one = jnp.broadcast_to(jnp.eye(w.shape[-1], dtype=w.dtype), (*w.shape[:-3], 1, *w.shape[-2:]))
    return jnp.concatenate([w, dagger(w), one], axis=-3)
