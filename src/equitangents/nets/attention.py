"""Self-attention over sites."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_shape, check_size
from .dense import Dense

Scores = Literal["softmax", "identity", "relu", "abs"]


class Attention(AbstractLayer):
    r"""$f(s) = \text{out}\big(\sum_t A_h(s, t)\, V_h(t)\big)_h$ with scores $A_h = \zeta(Q_h K_h^T d^{-p})$.

    Heads h have weights of their own; `out` reads them side by side. Without `query`, queries are the keys and p = 1:
    the scores then converge to $\zeta$ of the covariance of keys between sites. With `query` they are independent and
    p = 1/2, as usual; the limit takes infinitely many heads, and has a closed form for identity scores only.

    Takes `(*sites, channels)` to `(*sites, out.width)`.

    Attributes:
        key: keys of one head, of width d.
        value: values of one head.
        out: the last layer.
        query: queries of one head, of width d; None ties them to the keys.
        heads: how many.
        scores: $\zeta$: "softmax" over t, or "identity", "relu", "abs" of each score.

    References:
        Hron et al. (2020), arXiv:2006.10540, section 3 (both limits).
    """

    key: Dense
    value: Dense
    out: Dense
    query: Dense | None = None
    heads: int = eqx.field(static=True, default=1)
    scores: Scores = eqx.field(static=True, default="softmax")

    def __check_init__(self) -> None:
        check_size(self, "heads")
        if self.scores not in get_args(Scores):
            raise ValueError(f"Attention: expected scores to be one of {get_args(Scores)}, got {self.scores!r}.")
        for name in ("key", "value", "out", "query"):
            if not isinstance(getattr(self, name), Dense) and not (name == "query" and self.query is None):
                raise TypeError(f"Attention: expected {name} to be a Dense, got {getattr(self, name)!r}.")
        if self.query is not None and self.query.width != self.key.width:
            raise ValueError(
                f"Attention: expected query and key of one width, got {self.query.width} and {self.key.width}."
            )

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        if len(shape) < 2:
            raise ValueError(f"Attention expected sites, an example (*sites, channels), got shape {tuple(shape)}.")
        keys = dict(zip(("key", "value", "query", "out"), jr.split(key, 4), strict=True))
        inside = {"key": self.key, "value": self.value} | ({} if self.query is None else {"query": self.query})

        def drawn(name: str) -> Params:
            return jax.vmap(lambda k: inside[name].init(k, shape[-1:])[1])(jr.split(keys[name], self.heads))

        params = {name: drawn(name) for name in inside}
        return (*shape[:-1], self.out.width), params | {
            "out": self.out.init(keys["out"], (self.heads * self.value.width,))[1]
        }

    def apply(self, params: Params, x: Array) -> Array:
        *sites, channels = x.shape
        flat = x.reshape(-1, channels)
        keys = jax.vmap(self.key.apply, (0, None))(params["key"], flat)
        values = jax.vmap(self.value.apply, (0, None))(params["value"], flat)
        if self.query is None:
            queries, size = keys, self.key.width
        else:
            queries, size = jax.vmap(self.query.apply, (0, None))(params["query"], flat), self.key.width**0.5
        read = score(self.scores, jnp.einsum("hsd,htd->hst", queries, keys) / size)
        heads = jnp.einsum("hst,htv->shv", read, values).reshape(*sites, -1)
        return self.out.apply(params["out"], heads)


def score(name: Scores, products: Array) -> Array:
    """What the scores do with products of queries and keys; the last axis is that of the keys."""
    if name == "softmax":
        return jax.nn.softmax(products, axis=-1)
    return {"identity": lambda g: g, "relu": jax.nn.relu, "abs": jnp.abs}[name](products)
