r"""Means and covariances of a finite network's kernels, from its tensors at one layer."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..numerics import safe_divide
from .tensors import tensor


class Moments(eqx.Module):
    r"""The tensors of one dense layer: `record.V` and so on, and what they say of finite networks.

    With n = `width`, Ĥ the NTK of neurons i, j of this layer, $\hat G$ the covariance of its preactivations given the
    layers before. All that follows holds up to the next order in 1/n, and at layer 2 exactly.

    Attributes:
        layer: l, from 1.
        width: $n_{l-1}$, the number of inputs of the layer.
        tensors: by name, each (m, ..., m) over the m inputs.
        errors: of the quadrature, estimated, for each tensor: the largest over its components, in units of the largest
            component. Zero for closed forms.
        sites: of the layer's output; then m counts all sites of the first input, of the second, and so on.
    """

    layer: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    tensors: dict[str, Array]
    errors: dict[str, Array]
    sites: tuple[int, ...] = eqx.field(static=True, default=())

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_"):
            raise AttributeError(name)
        tensors = self.__dict__.get("tensors", {})
        if name in tensors:
            return tensors[name]
        raise AttributeError(
            f"expected one of {', '.join(tensors)}, got {name!r}; ask for it with expand(..., tensors=...)."
        )

    def mean_kernel(self, width: int | None = None) -> Array:
        r"""$E[z_{ia} z_{ib}] = K + G_1 / n$, (m, m)."""
        return self.K + self.G1 / self._n(width)

    def mean_ntk(self, width: int | None = None) -> Array:
        r"""$E[\hat H_{ii;ab}] = \Theta + H_1 / n$, (m, m)."""
        return self.Theta + self.H1 / self._n(width)

    def kernel_covariance(self, width: int | None = None) -> Array:
        r"""$Cov(\hat G_{ab}, \hat G_{cd}) = V_{abcd} / n$, (m, m, m, m)."""
        return self.V / self._n(width)

    def cross_covariance(self, width: int | None = None) -> Array:
        r"""$Cov(\hat G_{ab}, \hat H_{ii;cd})$, over n: $D_{abcd}$, (m, m, m, m), for an average over neurons i."""
        return self.D / self._n(width)

    def ntk_covariance(self, width: int | None = None) -> Array:
        r"""$Cov(\hat H_{ii;ab}, \hat H_{ii;cd}) = (A_{abcd} + B_{acbd} + B_{adbc}) / n$, (m, m, m, m)."""
        b = self.B
        return (self.A + jnp.einsum("acbd->abcd", b) + jnp.einsum("adbc->abcd", b)) / self._n(width)

    def fourth_cumulant(self, width: int | None = None) -> Array:
        r"""$E^c[z_{ia} z_{ib} z_{ic} z_{id}] = (V_{abcd} + V_{acbd} + V_{adbc}) / n$, (m, m, m, m)."""
        v = self.V
        return (v + jnp.einsum("acbd->abcd", v) + jnp.einsum("adbc->abcd", v)) / self._n(width)

    def kernel_deviation(self, width: int | None = None) -> Array:
        r"""Standard deviation of $\hat G_{ab}$ between networks, (m, m)."""
        return jnp.sqrt(jnp.einsum("abab->ab", self.kernel_covariance(width)))

    def ntk_deviation(self, width: int | None = None) -> Array:
        r"""Standard deviation of $\hat H_{ii;ab}$ between networks, (m, m)."""
        return jnp.sqrt(jnp.einsum("abab->ab", self.ntk_covariance(width)))

    def expansion_parameter(self, width: int | None = None) -> Array:
        r"""The largest of $V_{aaaa} / (n K_{aa}^2)$ and $(A_{aaaa} + 2 B_{aaaa}) / (n \Theta_{aa}^2)$.

        Far below 1 the order 1/n is enough; near 1 the expansion says nothing. Only what was asked for is looked at;
        an input whose kernel is 0 counts as 0.
        """
        found = [jnp.zeros((1,))]
        if "V" in self.tensors:
            found.append(safe_divide(jnp.einsum("aaaa->a", self.V), jnp.diagonal(self.K) ** 2))
        if "A" in self.tensors and "B" in self.tensors:
            found.append(safe_divide(jnp.einsum("aaaa->a", self.A + 2 * self.B), jnp.diagonal(self.Theta) ** 2))
        return jnp.max(jnp.concatenate(found)) / self._n(width)

    def order(self, name: str) -> int:
        """The power of 1/n that belongs to a tensor."""
        return tensor(name).order

    def _n(self, width: int | None) -> float:
        """The width that is asked for: all widths are then changed by one factor, as their ratios enter the tensors."""
        return float(self.width if width is None else width)
