"""Self-attention over sites."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_shape, check_size
from .dense import Dense
from .positions import Positions

Scores = Literal["softmax", "identity", "relu", "abs"]


class Attention(AbstractLayer):
    r"""$f(s) = \text{out}\big(\sum_t A_h(s, t)\, V_h(t)\big)_h$ with scores $A_h = \zeta(Q_h K_h^T d^{-p})$.

    Heads h have weights of their own; `out` reads them side by side. Without `query`, queries are the keys and p = 1:
    the scores then converge to $\zeta$ of the covariance of keys between sites. With `query` they are independent and
    p = 1/2, as usual; the limit takes infinitely many heads, and has a closed form for identity scores only.

    Takes `(*sites, channels)` to `(*sites, out.width)`. `positions` enter queries and keys; for those that also enter
    the values, put the layer `Positions` before this one.

    Attributes:
        key: keys of one head, of width d.
        value: values of one head.
        out: the last layer.
        query: queries of one head, of width d; None ties them to the keys.
        heads: how many.
        scores: $\zeta$: "softmax" over t, or "identity", "relu", "abs" of each score.
        positions: what queries and keys know of the sites; None: nothing.

    References:
        Hron et al. (2020), arXiv:2006.10540, section 3 (both limits).
    """

    key: Dense
    value: Dense
    out: Dense
    query: Dense | None = None
    heads: int = eqx.field(static=True, default=1)
    scores: Scores = eqx.field(static=True, default="softmax")
    positions: Positions | None = None

    def __check_init__(self) -> None:
        check_size(self, "heads")
        if self.scores not in get_args(Scores):
            raise ValueError(f"Attention: expected scores to be one of {get_args(Scores)}, got {self.scores!r}.")
        for name in ("key", "value", "out", "query"):
            if not isinstance(getattr(self, name), Dense) and not (name == "query" and self.query is None):
                raise TypeError(f"Attention: expected {name} to be a Dense, got {getattr(self, name)!r}.")
        if not (self.positions is None or isinstance(self.positions, Positions)):
            raise TypeError(f"Attention: expected positions to be a Positions or None, got {self.positions!r}.")
        if self.query is not None and self.query.width != self.key.width:
            raise ValueError(
                f"Attention: expected query and key of one width, got {self.query.width} and {self.key.width}."
            )

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        if len(shape) < 2:
            raise ValueError(f"Attention expected sites, an example (*sites, channels), got shape {tuple(shape)}.")
        keys = dict(zip(("key", "value", "query", "out", "positions"), jr.split(key, 5), strict=True))
        placed, positions = shape, {}
        if self.positions is not None:
            placed, own = self.positions.init(keys["positions"], shape)
            positions = {"positions": own}
        before = {"key": placed[-1:], "value": shape[-1:], "query": placed[-1:]}
        inside = {"key": self.key, "value": self.value} | ({} if self.query is None else {"query": self.query})

        def drawn(name: str) -> Params:
            return jax.vmap(lambda k: inside[name].init(k, before[name])[1])(jr.split(keys[name], self.heads))

        params = {name: drawn(name) for name in inside}
        out = self.out.init(keys["out"], (self.heads * self.value.width,))[1]
        return (*shape[:-1], self.out.width), params | positions | {"out": out}

    def apply(self, params: Params, x: Array, real: Array | None = None) -> Array:
        """The output for one example; where `real`, of shape `sites`, is 0, no site reads."""
        *sites, channels = x.shape
        flat = x.reshape(-1, channels)
        placed = x if self.positions is None else self.positions.apply(params["positions"], x)
        placed = placed.reshape(-1, placed.shape[-1])
        keys = jax.vmap(self.key.apply, (0, None))(params["key"], placed)
        values = jax.vmap(self.value.apply, (0, None))(params["value"], flat)
        if self.query is None:
            queries, size = keys, self.key.width
        else:
            queries, size = jax.vmap(self.query.apply, (0, None))(params["query"], placed), self.key.width**0.5
        products = jnp.einsum("hsd,htd->hst", queries, keys) / size
        read = score(self.scores, products, None if real is None else real.reshape(-1))
        heads = jnp.einsum("hst,htv->shv", read, values).reshape(*sites, -1)
        return self.out.apply(params["out"], heads)


def score(name: Scores, products: Array, real: Array | None = None) -> Array:
    """What the scores do with products of queries and keys; the last axis is that of the keys, 0 where not `real`."""
    if name == "softmax":
        if real is not None:
            products = jnp.where(jnp.broadcast_to(real, products.shape) > 0, products, jnp.finfo(products.dtype).min)
        return jax.nn.softmax(products, axis=-1)
    out = {"identity": lambda g: g, "relu": jax.nn.relu, "abs": jnp.abs}[name](products)
    return out if real is None else out * jnp.broadcast_to(real, out.shape)
