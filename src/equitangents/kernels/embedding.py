"""Embeddings at infinite width: weights on the share of equal tokens, which is the covariance of integer inputs."""

from ..nets import Embedding
from .kernel import Kernel, Needs
from .linear import apply_weights
from .propagate import needs, propagate


@propagate.register(Embedding)
def _(layer: Embedding, k: Kernel) -> Kernel:
    return apply_weights(layer, k)


@needs.register(Embedding)
def _(layer: Embedding, after: Needs) -> Needs:
    return after
