"""What a network costs: parameters, and floating-point operations of a forward pass."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr

from ..nets import AbstractLayer


def count_parameters(params: Any) -> int:
    """Number of entries of all arrays in a pytree of parameters, or of their shapes.

    >>> import jax
    >>> from equitangents.nets import Dense
    >>> count_parameters(Dense(3, sigma_b=0.1).init(jax.random.key(0), (2,))[1])
    9
    """
    return sum(int(leaf.size) for leaf in jax.tree.leaves(params))


def flops(net: AbstractLayer, shape: tuple[int, ...]) -> float:
    """Floating-point operations of one forward pass of one example of `shape`, as the compiler counts them.

    A multiplication and an addition are two operations; elementary functions may count as none. A training step costs
    about three forward passes. Compiles the network; nothing is computed.

    >>> from equitangents.nets import Dense
    >>> 64 <= flops(Dense(4), (8,)) <= 80  # 2 * 4 * 8, and the factors of the parameterisation
    True
    """
    params = jax.eval_shape(lambda key: net.init(key, shape)[1], jr.key(0))
    x = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    analysis = jax.jit(net.apply).lower(params, x).compile().cost_analysis()
    if isinstance(analysis, list | tuple):  # one entry for each device in older versions
        analysis = analysis[0] if analysis else None
    if not analysis or "flops" not in analysis:
        raise NotImplementedError(f"the compiler of this backend ({jax.default_backend()}) counts no operations.")
    return float(analysis["flops"])
