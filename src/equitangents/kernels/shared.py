r"""Shared weights at infinite width: the kernels of copies with weights of their own.

Forward, each use sees a Gaussian of the same covariance. Backward, $\delta_u = D_u W^T \delta_{u+1}$ at use u; between
uses $u \ne v$ of one chain $E[\delta_u \cdot \delta_v] = 0$, as one of the two has a factor $W^T$ more, so that
$\sum_{u v} \langle h_u h_v \rangle \langle \delta_u \delta_v \rangle$ keeps $u = v$ only. A path without weights
through the layers would break both.
"""

from ..nets import AbstractLayer, AbstractWeighted, Attention, Concatenate, Parallel, Product, Serial, Shared
from .kernel import Kernel, Needs
from .propagate import needs, propagate


@propagate.register(Shared)
def _(layer: Shared, k: Kernel) -> Kernel:
    if layer.times > 1 and not meets_weights(layer.layer):
        raise NotImplementedError(
            f"{layer!r} has no kernel by a rule, as a path through its layers meets no weights (a Residual around all "
            "of them, for instance): terms of different uses are then correlated; put Dense or Conv on every path, or "
            "use copies with weights of their own, or monte_carlo and empirical_ntk of the finite network."
        )
    for _ in range(layer.times):
        k = propagate(layer.layer, k)
    return k


@needs.register(Shared)
def _(layer: Shared, after: Needs) -> Needs:
    for _ in range(layer.times):
        after = needs(layer.layer, after)
    return after


def meets_weights(layer: AbstractLayer) -> bool:
    """Whether every path through the layer meets weights."""
    if isinstance(layer, Serial):
        return any(map(meets_weights, layer.layers))
    if isinstance(layer, Parallel | Concatenate | Product):
        return all(map(meets_weights, layer.layers))
    return isinstance(layer, AbstractWeighted | Attention)
