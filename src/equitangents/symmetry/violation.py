r"""How far an ensemble of M networks is from invariant, from the covariance over initialisations.

On an orbit the outputs of one network are Gaussian with covariance $\Sigma_{gh} = \Sigma_t(\rho(g) x, \rho(h) x)$.
Averaged over the orbit they are those of an equivariant network; the rest is the violation, with the projector
$C = 1 - \mathbf{1} \mathbf{1}^T / |G|$.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..groups import Action
from .checks import check_action, check_batch, check_count


def orbit_covariance(
    covariance: Callable[[Array], Any], x: ArrayLike, action: Action, *, chunk: int = 32
) -> Float[Array, "*times n order order"]:
    r"""$\Sigma(\rho(g) x_i, \rho(h) x_i)$ for each example.

    Args:
        covariance: takes inputs (m, *example) to their covariance (m, m), or (times, m, m), such as
            `lambda x: flow.covariance(x, t=t)`.
        x: shape (n, *example).
        action: how the group acts on the inputs.
        chunk: examples evaluated together; the covariance between them is computed and dropped.

    Returns:
        Shape (n, |G|, |G|), times first where `covariance` has them.

    Raises:
        ValueError: inputs on which the group does not act, or a covariance of another shape.
    """
    x = jnp.asarray(x)
    check_batch("x", check_action("action", action), x)
    check_count("chunk", chunk)
    blocks = [_blocks(covariance, x[i : i + chunk], action) for i in range(0, len(x), chunk)]
    return jnp.concatenate(blocks, axis=-3)


def _blocks(covariance: Callable[[Array], Any], x: Array, action: Action) -> Array:
    order, n = action.group.order, len(x)
    inputs = action.orbit(x).reshape(order * n, *x.shape[1:])
    sigma = jnp.asarray(covariance(inputs))
    if sigma.ndim < 2 or sigma.shape[-2:] != (order * n, order * n):
        raise ValueError(
            f"expected the covariance of {order * n} inputs with themselves, shape ({order * n}, {order * n}); "
            f"got shape {sigma.shape}; pass a function of one batch."
        )
    sigma = sigma.reshape(*sigma.shape[:-2], order, n, order, n)
    return jnp.einsum("...gihi->...igh", sigma)


def violation_variance(covariance_on_orbit: ArrayLike) -> Float[Array, "*items"]:
    r"""$\frac1{|G|} \mathrm{tr}(C \Sigma C) = \frac1{|G|} \sum_g \Sigma_{gg} - \frac1{|G|^2} \sum_{g,h} \Sigma_{gh}$.

    The variance, mean over the orbit, of the part of one output of one network that is not invariant. After training
    on full orbits, where $\Sigma$ is jointly invariant, it is $\Sigma^{augmented}(x, x) - \Sigma^{equivariant}(x, x)$.

    Args:
        covariance_on_orbit: shape (*items, |G|, |G|), from `orbit_covariance`.

    Returns:
        Shape `items`, at least 0.

    Raises:
        ValueError: the last two axes are not equal.

    >>> float(violation_variance(jnp.eye(4)))
    0.75
    """
    sigma = jnp.asarray(covariance_on_orbit)
    if sigma.ndim < 2 or sigma.shape[-1] != sigma.shape[-2] or sigma.shape[-1] == 0:
        raise ValueError(
            f"expected covariances over orbits of shape (..., |G|, |G|); got {sigma.shape}; use orbit_covariance."
        )
    total = jnp.mean(jnp.diagonal(sigma, axis1=-2, axis2=-1), axis=-1)
    return jnp.maximum(total - jnp.mean(sigma, axis=(-2, -1)), 0)


def predicted_orbit_deviation(variance: ArrayLike, members: int, *, outputs: int = 1) -> Array:
    r"""The orbit deviation of the mean of M networks, $\sqrt{c \, v / M}$: root of the expected square.

    For networks trained on full orbits, whose infinite ensemble is exactly invariant; c outputs, which are
    independent. Compare it with the root mean square of `orbit_deviation` over draws of ensembles. Exact for
    Gaussian or any other independent members with variance v; v of `violation_variance` is that of infinite width.

    Args:
        variance: v of one output of one network, shape (*items).
        members: M.
        outputs: c.

    Returns:
        Shape (*items), in the units of the output.

    Raises:
        ValueError: fewer than one member or output.
        TypeError: no whole numbers of them.

    References:
        Gerken and Kessel (2024), arXiv:2403.03103, bounds the probability of large deviations.

    >>> float(predicted_orbit_deviation(0.75, members=3))
    0.5
    """
    check_count("members", members)
    check_count("outputs", outputs)
    return jnp.sqrt(jnp.asarray(variance) * (outputs / members))
