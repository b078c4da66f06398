r"""One step of gradient descent at finite width: the mean output and the mean tangent kernel to order 1/n.

With $\varepsilon = z - y$ at initialisation and loss $\frac12 \sum \varepsilon^2$, each index a neuron and a sample,

$$z_I \to z_I - \eta \hat H_{Ia}\varepsilon_a + \tfrac{\eta^2}{2} d\hat H_{Iab}\varepsilon_a\varepsilon_b
  - \tfrac{\eta^3}{6} dd\hat I_{Iabc}\varepsilon_a\varepsilon_b\varepsilon_c + \dots$$
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from .legs import Legs, check_trained, training_indices, with_outputs
from .moments import Moments


class TrainedMean(NamedTuple):
    r"""Means over initialisations as a series, $\text{limit} + \text{shift}/n + O(1/n^2)$.

    Attributes:
        output, output_shift: $E z$, shape (*times, samples, outputs).
        ntk_shift: $n E[\hat H(t) - \hat H(0)]$, shape (*times, outputs, outputs, samples, samples); its limit is 0.
        width: n.
    """

    output: Array
    output_shift: Array
    ntk_shift: Array
    width: int

    @property
    def mean(self) -> Array:
        """The output at the network's own width, to order 1/n."""
        return self.output + self.output_shift / self.width

    @property
    def ntk_change(self) -> Array:
        """The change of the tangent kernel at the network's own width, to order 1/n."""
        return self.ntk_shift / self.width


def gradient_step(found: Moments, y: Array, learning_rate: float) -> TrainedMean:
    r"""Mean output and tangent kernel after one step of gradient descent on $\frac12 \sum (z - y)^2$.

    Args:
        found: `expand(net, x, NEEDED)[-1]`, x with the training inputs first, then any others.
        y: targets of the first inputs, shape (n, outputs).
        learning_rate: $\eta$, on top of the rates of the layers.

    Raises:
        ValueError: tensors that are missing; targets of another shape.

    References:
        Roberts, Yaida and Hanin (2022), arXiv:2106.10165, chapter infinity, for the expansion in $\eta$.
    """
    check_trained(found, y)
    samples, outputs = len(found.K), y.shape[-1]
    legs, a = with_outputs(found, outputs), training_indices(outputs, samples, len(y))
    return _shaped(found, outputs, *_step(legs, a, y.T.reshape(-1), learning_rate))


def _step(legs: Legs, a: Array, y: Array, eta: float) -> tuple[Array, Array, Array]:
    k = legs.k[a][:, a]
    dz, dd1, dd2 = legs.dz[:, a][:, :, a][..., a], *(d[..., a][..., a, :] for d in (legs.dd1, legs.dd2))
    squares = y[:, None] * y[None] + k
    cubes = jnp.einsum("a,b,c->abc", y, y, y) + sum(
        jnp.einsum(p, k, y) for p in ("ab,c->abc", "ac,b->abc", "bc,a->abc")
    )
    shift = eta * legs.ntk1[:, a] @ y - eta**2 * jnp.einsum("iaba,b->i", dz, y)
    shift += eta**3 / 6 * jnp.einsum("iabc,abc->i", dd1[:, a], cubes)
    drift = -eta * jnp.einsum("ijaa->ij", legs.dz[:, :, a][..., a])
    drift += eta**2 / 2 * jnp.einsum("ijab,ab->ij", dd1, squares)
    ntk = drift + drift.T + eta**2 * jnp.einsum("ijab,ab->ij", dd2, squares)
    return eta * legs.ntk[:, a] @ y, shift, ntk


def _shaped(found: Moments, outputs: int, output: Array, shift: Array, ntk: Array) -> TrainedMean:
    """Indices of (output, sample) taken apart; times first."""
    samples = len(found.K)
    times = output.shape[:-1]
    split = (*times, outputs, samples)
    blocks = ntk.reshape(*times, outputs, samples, outputs, samples)
    return TrainedMean(
        jnp.swapaxes(output.reshape(split), -1, -2),
        jnp.swapaxes(shift.reshape(split), -1, -2),
        jnp.swapaxes(blocks, -3, -2),
        found.width,
    )
