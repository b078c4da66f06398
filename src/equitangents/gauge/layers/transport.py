r"""Layers that bring matrices from other sites: $P\, W(x + d\hat\mu)\, P^\dagger$, P the links on the way."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from ...nets import AbstractLayer
from ...nets.base import Params, Shape, check_size
from ..links import dagger, shift
from .bilinear import bilinear
from .covariant import AbstractGaugeLayer, Covariant, check_covariant, check_matrices, enlarged


class GEConv(AbstractGaugeLayer):
    r"""Gauge equivariant convolution along the axes of the lattice.

    $W'_o(x) = \sum_c w_{oc} W_c(x) + \sum_{\mu, d, c} w_{o \mu d c}\, P W_c(x + d\hat\mu) P^\dagger$, P the product of
    the links from x to $x + d\hat\mu$. Links stay as they are.

    Attributes:
        channels: that go out.
        reach: K; d goes from 1 to K. 0 mixes channels alone.
        both: d goes from -K to -1 too.
        scale: s; parts of the weights are drawn with standard deviation s / (C (1 + D K)), or 2 K where `both`.

    References:
        Huang et al. (2025), arXiv:2502.15376, section 4; Favoni et al. (2022), arXiv:2012.12901, equation (5).
    """

    channels: int = eqx.field(static=True)
    reach: int = eqx.field(static=True, default=1)
    both: bool = eqx.field(static=True, default=False)
    scale: float = 0.5

    def __check_init__(self):
        check_size(self, "channels")
        check_reach(self, self.reach)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        fan = check_matrices(self, shape) * (1 + (len(shape) - 3) * self.reach * (2 if self.both else 1))
        w = self.scale / fan * jr.normal(key, (2, self.channels, fan))
        return (*shape[:-3], self.channels, *shape[-2:]), {"w": w}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        around = jnp.concatenate([x.matrices, *transported(x, x.matrices, self.reach, self.both)], axis=-3)
        w = jax.lax.complex(params["w"][0], params["w"][1])
        return x.with_matrices(jnp.einsum("oc,...cij->...oij", w, around))


class LCB(AbstractGaugeLayer):
    r"""The fused convolution and bilinear layer of lattice gauge equivariant networks (L-CNN).

    $W'_o(x) = \sum_{AB} \theta_{oAB}\, B_A(x)\, \tilde B_B(x)$: B are W, its adjoint and 1 at x, and $\tilde B$ those
    and the ones transported from $x \pm d\hat\mu$, d from 1 to `reach`. Each layer doubles the size of the Wilson loops
    that its channels can hold.

    Attributes:
        channels: that go out.
        reach: how far.
        both: both directions along each axis; else forwards alone.
        scale: s; parts of the weights are drawn with standard deviation s / sqrt(number of A times number of B).

    References:
        Favoni et al. (2022), arXiv:2012.12901, equations (5) to (7).
    """

    channels: int = eqx.field(static=True)
    reach: int = eqx.field(static=True, default=1)
    both: bool = eqx.field(static=True, default=True)
    scale: float = 0.5

    def __check_init__(self):
        check_size(self, "channels")
        check_reach(self, self.reach)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        c, ways = check_matrices(self, shape), (len(shape) - 3) * self.reach * (2 if self.both else 1)
        sizes = (2 * c + 1, 2 * c * (1 + ways) + 1)
        a = self.scale / (sizes[0] * sizes[1]) ** 0.5 * jr.normal(key, (2, self.channels, *sizes))
        return (*shape[:-3], self.channels, *shape[-2:]), {"a": a}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        around = jnp.concatenate([x.matrices, *transported(x, x.matrices, self.reach, self.both)], axis=-3)
        return x.with_matrices(bilinear(params["a"], enlarged(x.matrices), enlarged(around)))


def transported(x: Covariant, w: Array, reach: int, both: bool) -> list[Array]:
    r"""$P W(x + d\hat\mu) P^\dagger$ for each direction, distance and, if `both`, sign; each of the shape of w."""
    found: list[Array] = []
    dim = x.links.shape[-3]
    for mu in range(dim):
        link = x.links[..., mu, None, :, :]
        back = dagger(shift(link, mu, dim, -1, trailing=3))
        for one, step in ((link, 1), (back, -1)) if both else ((link, 1),):
            moved = jnp.asarray(w)
            for _ in range(reach):
                moved = jnp.asarray(one @ shift(moved, mu, dim, step, trailing=3) @ dagger(one))
                found.append(moved)
    return found


def check_reach(owner: AbstractLayer, reach: int) -> None:
    """Raise unless this is a distance."""
    if isinstance(reach, bool) or not isinstance(reach, int) or reach < 0:
        raise ValueError(f"{type(owner).__name__}: expected reach to be an integer >= 0, got {reach!r}.")
