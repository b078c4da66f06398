r"""How the loss on full orbits falls, irreducible representation by representation.

$$L_\chi(t) = \tfrac12 \sum_{k \in \chi} p_t(\lambda_k)^2 \left(y_k^2 + \phi_k^T K \phi_k\right), \qquad
p_t(\lambda) = e^{-\lambda t}$$
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.checks import check_loss, check_number, check_times
from ..dynamics.rates import rate_limit
from ..groups import Action, FiniteGroup
from ..groups.finite_group import check_group
from .irreps import IrrepSpectrum, gram_power, irrep_power


class Speeds(NamedTuple):
    """Learning rates of eigenfunctions, fitted to trained networks; see `measured_speeds`.

    Attributes:
        value: for each block, shape (m,).
        error: standard errors over networks, for each block, shape (m,).
    """

    value: list[np.ndarray]
    error: list[np.ndarray]


def irrep_loss(
    spectrum: IrrepSpectrum,
    y: ArrayLike,
    t: ArrayLike,
    *,
    loss: str,
    learning_rate: float | None = None,
    centred: bool = False,
) -> np.ndarray:
    r"""Expected loss in each irreducible representation while an infinitely wide network trains on full orbits.

    $E\, r_k(t)^2 = p_t(\lambda_k)^2 (y_k^2 + \phi_k^T K \phi_k)$ for the residual along eigenfunction k: the second
    term is the noise of the initial network, which has parts in every representation. Labels that the group does not
    change lie in the trivial one alone, so all else of the loss is that noise.

    Args:
        spectrum: of the NTK on the orbits.
        y: targets on the orbits, moved back by their action: shape (|G|, n, *output). Augmented targets do not depend
            on the first axis: `jnp.broadcast_to(y, (|G|, *y.shape))`.
        t: time of the flow, or with `learning_rate` a number of steps; shape () or (times,).
        loss: "sum" over the |G| n images, or their "mean"; of the training and of what is returned.
        learning_rate: of full-batch gradient descent; None: gradient flow.
        centred: of $f_t - f_0$, without the noise.

    Returns:
        Shape (*times, irreps), in the order of `spectrum.blocks`.

    Raises:
        ValueError: shapes that do not fit, negative times, or a learning rate with which descent diverges.
    """
    check_loss(loss)
    check_times(t, whole=learning_rate is not None)
    _check_rate(spectrum, learning_rate, loss)
    weight = 1 / (spectrum.order * spectrum.examples) if loss == "mean" else 1.0
    moments = np.atleast_1d(np.asarray(t, float))
    columns = [
        weight / 2 * np.sum(_remaining(weight * values, moments, learning_rate) ** 2 * energy, axis=1)
        for energy, values in _energies(spectrum, y, centred)
    ]
    found = np.stack(columns, axis=1)
    return found if jnp.ndim(t) else found[0]


def irrep_speed(spectrum: IrrepSpectrum, y: ArrayLike, *, loss: str, centred: bool = False) -> np.ndarray:
    r"""$-\frac12 \frac{d}{dt} \log L_\chi$ at t = 0: the eigenvalues of a representation, weighted by its loss.

    Arguments as for `irrep_loss`; the unit is 1 / time. nan where a representation has no loss.
    """
    check_loss(loss)
    weight = 1 / (spectrum.order * spectrum.examples) if loss == "mean" else 1.0
    parts = _energies(spectrum, y, centred)
    return np.array([weight * _ratio(np.sum(values * energy), np.sum(energy)) for energy, values in parts])


def expected_irrep_power(
    mean: ArrayLike, covariance: ArrayLike, group: FiniteGroup, *, outputs: int = 1, target: Action | None = None
) -> Float[Array, " irreps"]:
    r"""$\sum_i E |P_\chi F(\cdot, i)|^2$ of a Gaussian process on orbits: of its mean, and of its covariance.

    So residuals of any training, on the images of the orbits or on few of them, fall into representations:
    mean $\mu_t - y$ and covariance from `GradientFlow`, by way of `outputs_on_orbit` and `orbit_covariance`.

    Args:
        mean: on the orbits, shape (|G|, n, *output), moved back by `target`.
        covariance: of one output over the orbit of each example, shape (n, |G|, |G|).
        group: the group.
        outputs: number of independent outputs with this covariance.
        target: how the group acts on them, on vectors (outputs,); None: it does not.

    Raises:
        ValueError: shapes or groups that do not fit.
    """
    check_group(group)
    sigma = jnp.asarray(covariance)
    if sigma.ndim != 3 or sigma.shape[1:] != (group.order, group.order):
        raise ValueError(
            f"expected covariances over orbits of {group}, shape (n, {group.order}, {group.order}); got {sigma.shape}; "
            "use orbit_covariance."
        )
    total = jnp.sum(sigma, axis=0)
    if target is None:
        total = outputs * total
    else:
        if target.group != group:
            raise ValueError(
                f"expected target as an action of {group}; got one of {target.group}; restrict the larger."
            )
        trace = jnp.trace(target.orbit(jnp.eye(outputs)), axis1=1, axis2=2)
        total = trace[group.table[group.inverse]] * total  # of rho(g)^-1 rho(h)
    return irrep_power(mean, group) + gram_power(total, group)


def measured_speeds(
    spectrum: IrrepSpectrum, residuals: ArrayLike, t: float, *, loss: str, learning_rate: float | None = None
) -> Speeds:
    r"""How fast trained networks learn along each eigenfunction of the infinitely wide one.

    From $\langle r_k(t)\, r_k(0) \rangle / \langle r_k(0)^2 \rangle = p_t(\lambda)$, averaged over networks, outputs
    and the eigenfunctions that share an eigenvalue; $\lambda$ is what is returned. At infinite width that is the
    eigenvalue, at finite width it differs by O(1 / width). Errors are those of a ratio of means.

    Args:
        spectrum: of the infinitely wide network.
        residuals: $f - y$ on the orbits at time 0 and at time t, shape (networks, 2, |G|, n, *output).
        t: time of the flow, or with `learning_rate` the number of steps; above 0. Best about one time constant.
        loss, learning_rate: with which the networks were trained.

    Returns:
        Eigenvalues and standard errors in the units of `spectrum`; nan where nothing was correlated.

    Raises:
        ValueError: shapes that do not fit, fewer than two networks, times out of range.
    """
    check_loss(loss)
    check_number("t", t, strict=True)
    r = np.asarray(residuals)
    if r.ndim < 4 or r.shape[1] != 2 or len(r) < 2:
        raise ValueError(
            f"expected residuals of shape (networks, 2, |G|, n, ...), two or more networks; got {r.shape}; "
            "record steps 0 and t."
        )
    scale = spectrum.order * spectrum.examples if loss == "mean" else 1
    value, error = [], []
    for c in spectrum.coefficients(np.moveaxis(r, (0, 1), (-2, -1))):
        start = c[..., 0].conj()
        axes = (0, *range(2, c.ndim - 2))
        late, early = (np.mean((c[..., k] * start).real, axis=axes) for k in (1, 0))  # (m, networks)
        top, bottom = late.mean(-1), early.mean(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = top / bottom
            spread = np.std(late - p[:, None] * early, axis=-1, ddof=1) / np.sqrt(len(r)) / bottom
            if learning_rate is None:
                rate, slope = -np.log(p) / t, 1 / (p * t)
            else:
                rate = (1 - p ** (1 / t)) / learning_rate
                slope = p ** (1 / t - 1) / (t * learning_rate)
        value.append(rate * scale)
        error.append(slope * spread * scale)
    return Speeds(value, error)


def _energies(spectrum: IrrepSpectrum, y: ArrayLike, centred: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """E r_k^2 at the start, summed over equal eigenvalues and outputs, and the eigenvalues, for each block."""
    found = []
    for block, c in zip(spectrum.blocks, spectrum.coefficients(y), strict=True):
        outputs = int(np.prod(c.shape[2:]))
        noise = 0 if centred else block.multiplicity * outputs * block.variance
        found.append((np.sum(np.abs(c) ** 2, axis=(0, *range(2, c.ndim))) + noise, block.values))
    return found


def _remaining(s: np.ndarray, t: np.ndarray, learning_rate: float | None) -> np.ndarray:
    """p_t(s) at [time, eigenvalue], with 0 inf = 0."""
    if learning_rate is None:
        with np.errstate(invalid="ignore"):
            return np.where(s > 0, np.exp(-s * t[:, None]), 1.0)
    return (1 - learning_rate * s) ** t[:, None]


def _check_rate(spectrum: IrrepSpectrum, learning_rate: float | None, loss: str) -> None:
    if learning_rate is None:
        return
    check_number("learning_rate", learning_rate, strict=True)
    largest = max(block.values[0] for block in spectrum.blocks)
    limit = float(rate_limit(jnp.asarray(largest), spectrum.order * spectrum.examples, loss))
    if learning_rate >= limit:
        raise ValueError(
            f"expected a learning rate below {limit:.6g}, where descent diverges; got {learning_rate:.6g}; lower it."
        )


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else float("nan")
