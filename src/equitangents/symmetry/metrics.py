"""How far functions are from invariant or equivariant: measures on outputs over orbits.

Outputs on orbits have the element of the group first, shape (|G|, n, channels), as `outputs_on_orbit` returns them;
for equivariant targets it has moved them back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Integer

from ..groups import Action
from .checks import check_action, check_batch, check_orbit_outputs, check_same_group
from .orbits import outputs_on_orbit


def orbit_same_prediction(outputs: ArrayLike, identity: int = 0) -> Integer[Array, " n"]:
    r"""On how many elements of the orbit the predicted class is that of the example itself, $1, \dots, |G|$.

    $\#\{g : \arg\max_c f_c(\rho(g) x) = \arg\max_c f_c(x)\}$, the identity included. A constant function has |G|; one
    whose prediction is uniformly random on each image has $1 + (|G| - 1) / \text{classes}$ on average. Of equal
    largest outputs the first counts.

    Args:
        outputs: shape (|G|, n, classes), logits or anything that grows with them.
        identity: where the unmoved examples are along the first axis.

    Returns:
        Shape (n,).

    Raises:
        ValueError: another shape, fewer than two classes, or no such element.

    References:
        Gerken and Kessel (2024), arXiv:2403.03103.

    >>> orbit_same_prediction(jnp.array([[[1.0, 0.0]], [[0.0, 1.0]], [[3.0, 2.0]]])).tolist()
    [2]
    """
    outputs = jnp.asarray(outputs)
    check_orbit_outputs(outputs, classes=True, identity=identity)
    classes = jnp.argmax(outputs, axis=-1)
    return jnp.sum(classes == classes[identity][None], axis=0)


def symmetric_kl(outputs: ArrayLike, identity: int = 0) -> Float[Array, " n"]:
    r"""$\frac1{|G|} \sum_g KL(p(x) \| p(\rho(g) x)) + KL(p(\rho(g) x) \| p(x))$ with p the softmax; in nats.

    The sum is over all elements; the identity adds zero.

    Args:
        outputs: logits, shape (|G|, n, classes).
        identity: where the unmoved examples are along the first axis.

    Returns:
        Shape (n,), at least 0.

    Raises:
        ValueError: as for `orbit_same_prediction`.

    >>> [round(float(k), 4) for k in symmetric_kl(jnp.log(jnp.array([[[0.5, 0.5]], [[0.8, 0.2]]])))]
    [0.2079]
    """
    outputs = jnp.asarray(outputs)
    check_orbit_outputs(outputs, classes=True, identity=identity)
    log_p = jax.nn.log_softmax(outputs, axis=-1)
    own = log_p[identity][None]
    return jnp.mean(jnp.sum((jnp.exp(own) - jnp.exp(log_p)) * (own - log_p), axis=-1), axis=0)


def orbit_deviation(outputs: ArrayLike) -> Float[Array, " n"]:
    r"""$\Big(\frac1{|G|} \sum_{g,c} (f_c(\rho(g) x) - \bar f_c(x))^2\Big)^{1/2}$, $\bar f$ the mean over the orbit.

    Mean over the orbit, sum over the channels, one number for each example; the root mean square of these over
    examples is what `predicted_orbit_deviation` predicts. Zero exactly for invariant functions.

    Args:
        outputs: shape (|G|, n, channels) or (|G|, n).

    Returns:
        Shape (n,), in the units of the output.

    Raises:
        ValueError: another shape.

    >>> orbit_deviation(jnp.array([[[1.0, 0.0]], [[3.0, 0.0]]])).tolist()
    [1.0]
    """
    outputs = jnp.asarray(outputs)
    check_orbit_outputs(outputs, classes=False)
    outputs = outputs.reshape(*outputs.shape[:2], -1)
    squares = (outputs - jnp.mean(outputs, axis=0, keepdims=True)) ** 2
    return jnp.sqrt(jnp.mean(jnp.sum(squares, axis=-1), axis=0))


def orbit_std(outputs: ArrayLike, *, relative: bool = False) -> Float[Array, "n *channels"]:
    r"""$\sigma_c(x) = \big(\frac1{|G|} \sum_g (f_c(\rho(g) x) - \bar f_c(x))^2\big)^{1/2}$, or $\sigma_c / |\bar f_c|$.

    One number for each output, for regression; the sum of their squares is `orbit_variation`. Relative to the mean over
    the orbit it does not depend on units, and is infinite where the mean is zero.

    Args:
        outputs: shape (|G|, n, channels) or (|G|, n).
        relative: divide by the mean over the orbit.

    Returns:
        Shape (n, channels) or (n,).

    References:
        Gerken and Kessel (2024), arXiv:2403.03103, section on the Ising model, for relative deviations.

    >>> float(orbit_std(jnp.array([[1.0], [3.0]]), relative=True)[0])
    0.5
    """
    outputs = jnp.asarray(outputs)
    check_orbit_outputs(outputs, classes=False)
    std = jnp.std(outputs, axis=0)
    return std / jnp.abs(jnp.mean(outputs, axis=0)) if relative else std


def orbit_variation(outputs: ArrayLike) -> Float[Array, " n"]:
    r"""Total variation, $\mathrm{tr}\,\mathrm{Cov}_g f(\rho(g) x)$: the trace of the covariance over the orbit.

    It is the square of `orbit_deviation`; for an ensemble of M independent networks trained on full orbits it has the
    mean c v / M, v of `violation_variance` and c outputs.

    Args:
        outputs: shape (|G|, n, channels) or (|G|, n).

    Returns:
        Shape (n,), in the squared units of the output.

    >>> orbit_variation(jnp.array([[[1.0, 0.0]], [[3.0, 0.0]]])).tolist()
    [1.0]
    """
    return orbit_deviation(outputs) ** 2


def invariance_gap(function: Callable[[Array], Any], x: ArrayLike, action: Action) -> Float[Array, ""]:
    r"""$\max_{g, x} |f(\rho(g) x) - f(x)|$, over all entries of the output.

    Args:
        function: takes a batch (n, *example) to (n, *output), such as `lambda x: flow.mean(x, t)`.
        x: shape (n, *example).
        action: how the group acts on the inputs.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> float(invariance_gap(lambda x: x[:, 0], jnp.array([[1.0, 3.0]]), swap))
    2.0
    """
    outputs = outputs_on_orbit(function, x, action)
    identity = action.group.identity
    return jnp.max(jnp.abs(outputs - outputs[identity][None]))


def equivariance_error(
    function: Callable[[Array], Any], x: ArrayLike, action_in: Action, action_out: Action
) -> Float[Array, ""]:
    r"""$\max_{g, x} |f(\rho_{in}(g) x) - \rho_{out}(g) f(x)|$, over all entries of the output.

    Args:
        function: takes a batch (n, *example) to (n, *output).
        x: shape (n, *example).
        action_in, action_out: of one group, on the inputs and on the outputs.

    Raises:
        ValueError: shapes or groups that do not fit.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> float(equivariance_error(lambda x: x**2, jnp.array([[1.0, 3.0]]), swap, swap))
    0.0
    """
    return jnp.max(errors_over_group(function, x, action_in, action_out))


def errors_over_group(
    function: Callable[[Array], Any], x: ArrayLike, action_in: Action, action_out: Action
) -> Float[Array, " order"]:
    """The same for each element of the group."""
    check_same_group("action_in", action_in, "action_out", check_action("action_out", action_out))
    outputs = outputs_on_orbit(function, x, action_in)
    check_batch("the function's output", action_out, outputs[0])
    expected = action_out.orbit(outputs[action_in.group.identity])
    return jnp.max(jnp.abs(outputs - expected).reshape(len(outputs), -1), axis=1)
