"""Gaussian means of products of derivatives of a nonlinearity, over any samples."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from .expectations import expectations
from .request import Plan, plan
from .rules import COARSER, Nodes, Rules, rules
from .term import Blob

DEFAULT = Nodes()


def evaluate(layer: AbstractActivation, plan: Plan, k: Array, rules: Rules) -> Array:
    """Values of the planned requests, in the order in which they were given; k is (m, m)."""
    values = []
    for subsets, patterns in plan.groups:
        covariances = k[subsets[:, :, None], subsets[:, None, :]]
        values.append(lax.map(lambda one, p=patterns: expectations(layer, p, one, rules), covariances).reshape(-1))
    return jnp.concatenate(values)[plan.where]


def gaussian_means(
    layer: AbstractActivation, blobs: tuple[Blob, ...], k: Array, nodes: Nodes | tuple[int, int] = DEFAULT
) -> Array:
    r"""$\langle \prod \phi^{(order)}(z_{sample}) \rangle$ for $z \sim N(0, k)$, one for each blob.

    Exact for polynomials, sin and cos, for pairs of samples of erf, and for kinks at 0 where it is defined; else by
    quadrature. Derivatives with respect to k are finite where k is singular.

    Args:
        layer: the nonlinearity, such as `Tanh()`.
        blobs: each a tuple of (sample, order), samples being rows of k and none in more than four kinds.
        k: (m, m), positive semidefinite.
        nodes: in each dimension: over at most two samples, and over more.
        share: of these nodes that is used; the rest has weight 0.

    Returns:
        (number of blobs,).

    >>> import jax.numpy as jnp
    >>> from equitangents.nets import Monomial
    >>> means = gaussian_means(Monomial(2), (((0, 0), (0, 0)), ((0, 0), (0, 2))), jnp.eye(1))  # z^4 and 2 z^2
    >>> [round(float(mean), 6) for mean in means]
    [3.0, 2.0]
    """
    requests = tuple((tuple(sorted(blob)), ()) for blob in blobs)
    return evaluate(layer, plan(requests), k, rules(nodes, share))


def estimated_errors(
    layer: AbstractActivation,
    blobs: tuple[Blob, ...],
    k: Array,
    nodes: Nodes | tuple[int, int] = DEFAULT,
) -> Array:
    """Estimated error of each of `gaussian_means`: what two thirds of the nodes change. Zero for closed forms."""
    fine, coarse = (gaussian_means(layer, blobs, k, nodes, share) for share in (1.0, COARSER))
    return jnp.abs(fine - coarse)
