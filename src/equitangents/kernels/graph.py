r"""A graph for each input: $f(t) \to \sum_s A_{ts} f(s)$ with a matrix A that belongs to the example.

A network maps one array to one array, so a graph stands beside it: the kernel of what comes before is carried over the
graphs of both batches and handed on, `nngp(head, aggregate(kernel(body, x1, x2), a1, a2))`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .kernel import Kernel, at_sites, defect_from_covariance, defect_from_distance, half_distance, spread


def aggregate(k: Kernel, a1: Array, a2: Array | None = None) -> Kernel:
    r"""Kernel of two batches after averages over neighbours: $A_1 k_{12} A_2^T$, and the same for tangent kernels.

    Args:
        k: as `kernel` returns it for two batches of nodes, examples (nodes, channels).
        a1: (n1, new nodes, nodes), the matrix of each example of the first batch.
        a2: (n2, new nodes, nodes); None means a1, for a kernel of one batch with itself.

    Returns:
        A `Kernel` to pass on; one graph for all inputs is the layer `SiteMap`.

    Raises:
        ValueError: shapes that do not fit.

    References:
        Du et al. (2019), arXiv:1905.13192, section 3.

    >>> import jax.numpy as jnp
    >>> from equitangents import Dense, kernel
    >>> k = kernel(Dense(1), jnp.ones((1, 3, 2)))
    >>> float(aggregate(k, jnp.full((1, 1, 3), 1.0)).k12[0, 0, 0, 0])
    9.0
    """
    a2 = a1 if a2 is None else a2
    if len(k.sites) != 1 or k.k11 is None or k.k22 is None or k.k12.ndim != 4 or k.k11.ndim != 3:
        raise ValueError(
            "aggregate expected the kernel of two batches with one axis of nodes, as kernel(net, x1, x2) returns it; "
            f"got sites {k.sites} and k12 of shape {k.k12.shape}."
        )
    for name, a, n in (("a1", a1, k.k12.shape[0]), ("a2", a2, k.k12.shape[1])):
        if a.ndim != 3 or a.shape[0] != n or a.shape[2] != k.sites[0]:
            raise ValueError(f"aggregate expected {name} of shape ({n}, new nodes, {k.sites[0]}), got {a.shape}.")
    if a1.shape[1] != a2.shape[1]:
        raise ValueError(f"aggregate expected as many new nodes in a1 as in a2, got {a1.shape[1]} and {a2.shape[1]}.")
    return _aggregated(k, a1, a2)


@jax.jit
def _aggregated(k: Kernel, a1: Array, a2: Array) -> Kernel:
    sites = (a1.shape[1],)

    def pair(k11, k12, k22, d, ntk, a, b):
        return _pair(Kernel(k11, k12, k22, d, ntk, k.sites, k.gaussian), a, b, sites)

    columns = jax.vmap(pair, (None, 0, 0, None if k.d is None else 0, 0, None, 0))
    rows = jax.vmap(columns, (0, 0, None, None if k.d is None else 0, 0, 0, None))
    k12, d, ntk = rows(k.k11, k.k12, k.k22, k.d, k.ntk, a1, a2)
    k11, k22 = (a @ v @ jnp.swapaxes(a, 1, 2) for a, v in ((a1, k.k11), (a2, k.k22)))  # type: ignore[operator]
    return Kernel(k11, k12, k22, d, ntk, sites, k.gaussian)


def _pair(k: Kernel, a: Array, b: Array, sites: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Covariance, defect and tangent kernel of one pair of examples with graphs a and b."""
    k12, ntk = a @ k.k12 @ b.T, a @ k.ntk @ b.T
    v11, v22 = a @ k.k11 @ a.T, b @ k.k22 @ b.T  # type: ignore[operator]
    s11, s22 = spread(v11, v22, Kernel(None, k12, None, None, ntk, sites))
    d = defect_from_covariance(s11, k12, s22)
    if k.d is None:
        return k12, d, ntk
    # a row that both graphs share: no average is farther apart than its terms, and equal inputs keep a defect of 0
    v11, v22, own = (at_sites(v, k.sites) for v in (k.k11, k.k22, k.d))  # type: ignore[arg-type]
    size = jnp.abs(a)
    far = jnp.sum(size, axis=1) * (size @ half_distance(v11, v22, own))
    none = float(jnp.finfo(far.dtype).max) ** 0.5
    far = jnp.where(jnp.all(a == b, axis=1), far, none)
    bound = jnp.where(jnp.eye(sites[0], dtype=bool), far[:, None], none)
    return k12, jnp.minimum(d, defect_from_distance(s11, s22, bound)), ntk
