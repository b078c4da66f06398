r"""Products of matrices at one site: $\sum_{mn} a_{omn} E_m E'_n$, equivariant as $\Omega^\dagger E E' \Omega$ is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from ...nets import AbstractLayer
from ...nets.base import Params, Shape, check_size
from .covariant import AbstractGaugeLayer, Covariant, check_covariant, check_matrices, enlarged


class GEBL(AbstractGaugeLayer):
    r"""Gauge equivariant bilinear layer: $W'_o = \sum_{mn} a_{omn} E_m E'_n$ at each site.

    E are the channels that come in, their adjoints and 1, so linear terms and a bias are part of the sum. With `one`
    and `two`, networks that take the same input, E and E' are made of their outputs.

    Attributes:
        channels: that go out.
        one, two: what E and E' are made of; None for the input.
        scale: s; parts of the weights are drawn with standard deviation s / (2 C + 1), C the channels of E.

    References:
        Huang et al. (2025), arXiv:2502.15376, section 4; Favoni et al. (2022), arXiv:2012.12901, equation (7).
    """

    channels: int = eqx.field(static=True)
    one: AbstractLayer | None = None
    two: AbstractLayer | None = None
    scale: float = 0.5

    def __check_init__(self):
        check_size(self, "channels")

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_matrices(self, shape)
        params: dict[str, Params] = {}
        keys, sizes = jr.split(key, 3), []
        for name, branch, branch_key in zip(("one", "two"), (self.one, self.two), keys, strict=False):
            out, drawn = (shape, None) if branch is None else branch.init(branch_key, shape)
            sizes.append(2 * check_matrices(self, out) + 1)
            params |= {} if drawn is None else {name: drawn}
        a = self.scale / sizes[0] * jr.normal(keys[2], (2, self.channels, *sizes))
        return (*shape[:-3], self.channels, *shape[-2:]), params | {"a": a}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        one = enlarged(x.matrices if self.one is None else self.one.apply(params["one"], x).matrices)
        two = one
        if self.one is not None or self.two is not None:
            two = enlarged(x.matrices if self.two is None else self.two.apply(params["two"], x).matrices)
        return x.with_matrices(bilinear(params["a"], one, two))


def bilinear(a: Float[Array, "2 out m n"], one: Array, two: Array) -> Array:
    r"""$\sum_{mn} a_{omn} E_m E'_n$ at each site; a holds real and imaginary parts.

    The sum over n comes first, one matrix product for all sites; the products $E_m E'_n$ are never formed.

    Args:
        a: (2, out, m, n).
        one, two: E (*sites, m, N, N) and E' (*sites, n, N, N).

    Returns:
        (*sites, out, N, N).
    """
    sites, size = one.shape[:-3], one.shape[-1]
    out = a.shape[1]
    left, right = (jnp.stack([e.real, e.imag]).reshape(2, -1, *e.shape[-3:]) for e in (one, two))  # (2, s, m, N, N)
    both = jnp.stack([a, jnp.stack([-a[1], a[0]])])  # (part of E', part of the sum, out, m, n)
    inner = jnp.einsum("pqomn,psnjk->sqmjok", both, right)
    turned = jnp.stack([left, jnp.stack([-left[1], left[0]])])  # (part of the sum, part of the result, s, m, i, j)
    result = jnp.einsum("qrsmij,sqmjok->rsiok", turned, inner)
    return jax.lax.complex(result[0], result[1]).transpose(0, 2, 1, 3).reshape(*sites, out, size, size)
