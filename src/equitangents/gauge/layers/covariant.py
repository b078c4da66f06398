r"""What gauge equivariant layers pass on: links, and matrices that transform like plaquettes.

$$U_\mu(x) \to \Omega(x)^\dagger U_\mu(x) \Omega(x + \hat\mu), \qquad
W_c(x) \to \Omega(x)^\dagger W_c(x) \Omega(x)$$

One example is an array of links (*sites, D, N, N), complex; `Plaquettes` is the first layer. Shapes that descriptions
are told are those of the matrices, (*sites, channels, N, N).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, PRNGKeyArray

from ...nets import AbstractLayer
from ...nets.base import Params, Shape
from ..links import Links, dagger
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


class Plaquettes(AbstractLayer):
    """The first layer: links (*sites, D, N, N) to plaquettes of all planes, D (D - 1) / 2 channels.

    Attributes:
        polyakov: add the D Polyakov loops; without them no winding around the lattice can be seen.
    """

    polyakov: bool = eqx.field(static=True, default=False)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        if len(shape) < 5 or shape[-1] != shape[-2] or shape[-3] != len(shape) - 3:
            raise ValueError(
                f"Plaquettes expected links of one lattice, (*sites, D, N, N) with D >= 2 axes of sites, got shape "
                f"{tuple(shape)}; give the shape of a single example, without a batch axis."
            )
        dim = shape[-3]
        channels = dim * (dim - 1) // 2 + (dim if self.polyakov else 0)
        return (*shape[:-3], channels, *shape[-2:]), {}

    def apply(self, params: Params, x: Array) -> Covariant:
        links = Links(x, f"U({x.shape[-1]})")
        loops = [plaquettes(links), *([polyakov_loops(links)] if self.polyakov else [])]
        return Covariant(x, jnp.concatenate(loops, axis=-3))


def check_matrices(owner: AbstractLayer, shape: Shape) -> int:
    """The number of channels; raises unless `shape` is (*sites, channels, N, N)."""
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
