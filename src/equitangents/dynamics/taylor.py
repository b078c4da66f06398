r"""Networks expanded in parameters: $f(\theta_0) + f'(\theta_0)\,\delta + \dots$, $\delta = \theta - \theta_0$."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..kernels.empirical import is_trained

Function = Callable[[Any, Any], Any]


def linearize(apply: Function, params: Any) -> Function:
    r"""First order in the parameters: $f_{\theta_0}(x) + \nabla f_{\theta_0}(x) \cdot (\theta - \theta_0)$.

    Its tangent kernel is that of the network at `params`, at all parameters, so gradient descent on it is
    `GradientFlow` or `GradientDescent` with the empirical kernel.

    Args:
        apply: `apply(params, x)`, for one example or a batch; any function of JAX.
        params: the point of expansion, any pytree; what is no floating point array stays as it is.

    Returns:
        A function of (params, x), as `apply`.

    References:
        Lee et al. (2019), arXiv:1902.06720, equation (4).

    >>> line = linearize(lambda w, x: w**2 * x, jnp.array(1.0))
    >>> float(line(jnp.array(3.0), 1.0))  # 1 + 2 (3 - 1)
    5.0
    """
    return taylor_expand(apply, params, 1)


def taylor_expand(apply: Function, params: Any, degree: int) -> Function:
    r"""$\sum_{k \le K} \frac{1}{k!} \frac{d^k}{dt^k} f_{\theta_0 + t (\theta - \theta_0)}(x)\big|_{t=0}$, K = `degree`.

    Derivatives of degree k are taken forward, k times over: cost grows as 2^k.

    Args:
        apply, params: as for `linearize`.
        degree: at least 0.

    Returns:
        A function of (params, x), as `apply`.

    Raises:
        TypeError, ValueError: no function, or no such degree.

    >>> parabola = taylor_expand(lambda w, x: w**3 * x, jnp.array(1.0), 2)
    >>> float(parabola(jnp.array(2.0), 1.0))  # 1 + 3 + 3
    7.0
    """
    if not callable(apply):
        raise TypeError(f"expected apply to be a function apply(params, x), got {apply!r}.")
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise ValueError(f"expected degree to be an integer >= 0, got {degree!r}.")
    start, constant = eqx.partition(params, is_trained)
    start = jax.tree.map(jnp.asarray, start)

    def expanded(params: Any, x: Any) -> Any:
        moved, _ = eqx.partition(params, is_trained)
        change = jax.tree.map(jnp.subtract, moved, start)

        def derivative(order: int) -> Callable[[Any], Any]:
            """All derivatives along `change` up to this order, at some parameters."""
            if order == 0:
                return lambda p: (apply(eqx.combine(p, constant), x),)

            def both(p: Any) -> tuple[Any, ...]:
                lower, tangents = jax.jvp(derivative(order - 1), (p,), (change,))
                return (*lower, tangents[-1])

            return both

        terms = derivative(degree)(start)
        return jax.tree.map(lambda *t: sum((a / math.factorial(k) for k, a in enumerate(t[1:], 1)), t[0]), *terms)

    return expanded
