r"""Tensors of finite networks by Monte Carlo, with standard errors: what predictions in 1/width are checked against.

Tensors of layer L carry the prefactor $1/n$, $n = n_{L-1}$ the width before the outputs; their names and the order of
their indices are those of `expand`.
"""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..kernels import nngp_and_ntk
from ..nets import AbstractLayer, Serial
from .autodiff import Draw, draw, two_outputs
from .averaged import Averages, averages, covariance, followed
from .chain import Chain, chain

AVERAGED = ("V", "D", "F", "A", "B", "G1", "H1")
AUTODIFF = ("V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U")


class Sampled(NamedTuple):
    """Means over independent batches of networks; `a.merged(b)` joins two runs of different batches.

    Attributes:
        mean: tensor name -> array.
        squares: tensor name -> sum over batches of squared deviations from the mean.
        batches: how many.
        width: of the layer before the outputs, n.
    """

    mean: dict[str, np.ndarray]
    squares: dict[str, np.ndarray]
    batches: int
    width: int

    @property
    def error(self) -> dict[str, np.ndarray]:
        """Standard errors of the means, from the scatter of batches."""
        n = self.batches
        return {name: np.sqrt(squares / (n * (n - 1))) for name, squares in self.squares.items()}

    def merged(self, other: "Sampled") -> "Sampled":
        """Both together, as if sampled at once."""
        if self.width != other.width or self.mean.keys() != other.mean.keys():
            raise ValueError(
                f"expected samples of the same tensors at the same width, got {sorted(self.mean)} at {self.width} "
                f"and {sorted(other.mean)} at {other.width}."
            )
        total = self.batches + other.batches
        gap = {name: other.mean[name] - self.mean[name] for name in self.mean}
        mean = {name: self.mean[name] + gap[name] * (other.batches / total) for name in gap}
        weight = self.batches * other.batches / total
        squares = {name: self.squares[name] + other.squares[name] + gap[name] ** 2 * weight for name in gap}
        return Sampled(mean, squares, total, self.width)


def sample_tensors(
    net: AbstractLayer,
    x: Array,
    tensors: Iterable[str],
    draws: int,
    key: PRNGKeyArray,
    *,
    method: Literal["averaged", "autodiff"] | None = None,
    batch: int = 256,
    first: int = 0,
) -> Sampled:
    r"""Tensors at the outputs of random networks, at the widths of `net`.

    Exact in the mean for the connected correlators at these widths: for a single hidden layer they are the tensors
    themselves, beyond they differ by O(1/width); see `extrapolate`.

    Two methods. "averaged" gives V, D, F, A, B, G1, H1: the last layer is averaged analytically, and V, D, A, G1, H1
    follow the layer before, so that the noise is of the order of what is measured; cost $n^3$. "autodiff" gives all but
    G1, H1 from derivatives of the whole network, with more noise and without any use of its structure.

    Args:
        net: `Serial(Dense, activation, ..., Dense)`.
        x: (S, features).
        tensors: names among V, D, F, A, B, G1, H1, P, Q, R, S, T, U.
        draws: number of networks; at least two batches, rounded up to whole ones.
        key: batch number b uses `fold_in(key, b)`.
        method: None: "averaged" where it has all tensors.
        batch: networks at once; memory grows with it.
        first: number of the first batch; to go on with a run, pass how many it had and merge.

    Raises:
        TypeError, ValueError: networks, inputs or names that do not fit; a string in place of names.

    >>> from equitangents.nets import Dense, Relu
    >>> jax.config.update("jax_enable_x64", True)
    >>> net = Serial(Dense(5, 2**0.5), Relu(), Dense(1, 2**0.5))
    >>> found = sample_tensors(net, jnp.ones((1, 3)), ["V"], 4000, jr.key(0))
    >>> bool(abs(found.mean["V"].item() - 5 * 2**2) < 4 * found.error["V"].item())  # (3 rho - 1) K^2, rho = 2, K = 2
    True
    """
    if isinstance(tensors, str):
        raise TypeError(f'expected several names of tensors, got the string {tensors!r}; write ("{tensors}",).')
    names = tuple(dict.fromkeys(tensors))
    layers = chain(net, x)
    method = method or ("averaged" if set(names) <= set(AVERAGED) else "autodiff")
    known = AVERAGED if method == "averaged" else AUTODIFF
    if not names or set(names) - set(known):
        raise ValueError(f"expected names of tensors among {', '.join(known)} for {method!r}, got {names}.")
    n = layers.fan_in[-1]
    check_hidden(layers, least=2 if method == "averaged" and set(names) - {"F", "B"} else 1)
    if method == "averaged":
        limits = layer_limits(layers, x)
        return as_batches(lambda k: averaged(layers, x, limits, k, names, batch), draws, batch, key, first, n)
    wide = two_outputs(layers)
    return as_batches(lambda k: _autodiff(wide, n, x, k, names, batch), draws, batch, key, first, n)


def check_hidden(layers: Chain, least: int = 2) -> None:
    """Raise unless there are hidden layers, of that width at least."""
    if not layers.activations:
        raise ValueError(
            "expected a network with a nonlinearity, got a single Dense: it has no corrections in 1/width."
        )
    if min(layers.fan_in[1:]) < least:
        raise ValueError(
            "expected hidden layers of width 2 at least, as neurons of one layer are compared, got one of width 1; "
            'take a wider one, or sample_tensors with method="autodiff", which has all but G1 and H1.'
        )


def as_batches(
    one: Callable[[PRNGKeyArray], dict[str, Array]], draws: int, batch: int, key: PRNGKeyArray, first: int, width: int
) -> Sampled:
    """Batches number `first` and on, as many as `draws` needs; `one` gives their means, from `fold_in(key, number)`."""
    count = -(-draws // batch)
    if count < 2:
        raise ValueError(f"expected at least two batches, for an error; got draws={draws}, batch={batch}.")
    found = [one(jr.fold_in(key, number)) for number in range(first, first + count)]
    rows = {name: np.stack([np.asarray(each[name], float) for each in found]) for name in found[0]}
    mean = {name: row.mean(0) for name, row in rows.items()}
    return Sampled(mean, {name: ((row - mean[name]) ** 2).sum(0) for name, row in rows.items()}, count, width)


def layer_limits(net: Chain, x: Array) -> list[tuple[Array, Array]]:
    r"""K and $\Theta$ of each layer at infinite width."""
    layers = [layer for pair in zip(net.dense, net.activations, strict=False) for layer in pair] + [net.dense[-1]]
    stacks = [Serial(*layers[: 2 * number + 1]) for number in range(len(net.dense))]
    return [(k, theta) for k, theta in (nngp_and_ntk(stack, x) for stack in stacks)]


def averaged(net: Chain, x: Array, limits, key: PRNGKeyArray, names: tuple[str, ...], batch: int) -> dict[str, Array]:
    """Those of `AVERAGED` from one batch; `limits` as `layer_limits` returns them."""
    found = _drawn(net, x, limits, jr.split(key, batch), only_means=set(names) <= {"G1", "H1"})
    n, last = net.fan_in[-1], found[-1]
    if set(names) - {"F", "B"}:
        shift, cov = followed(net, limits, found)
    value = {
        "V": lambda: n * cov[0, :, :, 0],
        "D": lambda: n * cov[0, :, :, 1],
        "A": lambda: n * cov[1, :, :, 1],
        "F": lambda: jnp.mean(last.f, 0),
        "B": lambda: jnp.mean(last.b, 0),
        "G1": lambda: n * shift[0],
        "H1": lambda: n * shift[1],
    }
    return {name: value[name]() for name in names}


@eqx.filter_jit
def _drawn(net: Chain, x: Array, limits, keys: Array, *, only_means: bool) -> list[Averages]:
    found = jax.vmap(lambda key: averages(net, x, limits, key))(keys)
    return found[:-1] if only_means and len(found) > 1 else found  # what is not returned is not computed


@eqx.filter_jit
def _autodiff(net: Serial, n: int, x: Array, key: PRNGKeyArray, names: tuple[str, ...], batch: int) -> dict[str, Array]:
    found: Draw = jax.vmap(lambda key: draw(net, x, key, frozenset(names)))(jr.split(key, batch))
    both = [_correlators(found, a, 1 - a, names) for a in range(2)]
    return jax.tree.map(lambda one, two: n * (one + two) / 2, *both)


def _correlators(found: Draw, a: int, b: int, names: tuple[str, ...]) -> dict[str, Array]:
    """For two different neurons a, b; in the order of the indices of each tensor."""
    z, h, dh, dd1, dd2 = found
    products = jnp.einsum("sia,sib->siab", z, z)

    def mean(pattern: str, *factors: Array) -> Array:
        return jnp.einsum(pattern, *factors) / len(z)

    value = {
        "V": lambda: covariance(products[:, a], products[:, b]),
        "D": lambda: covariance(products[:, a], h[:, b, b]),
        "A": lambda: covariance(h[:, a, a], h[:, b, b]),
        "F": lambda: mean("sp,sr,sqt->pqrt", z[:, a], z[:, b], h[:, a, b]),
        "B": lambda: mean("spr,sqt->pqrt", h[:, a, b], h[:, a, b]),
        "P": lambda: mean("spqr,st->pqrt", dh[:, a, b, b], z[:, a]),
        "Q": lambda: mean("spqr,st->pqrt", dh[:, a, a, b], z[:, b]),
        "R": lambda: jnp.mean(dd1[:, a], 0),
        "S": lambda: jnp.mean(dd2[:, a, a, b, b], 0),
        "T": lambda: jnp.einsum("pqrt->prtq", jnp.mean(dd2[:, a, b, a, b], 0)),
        "U": lambda: jnp.einsum("pqrt->ptqr", jnp.mean(dd2[:, a, b, b, a], 0)),
    }
    return {name: value[name]() for name in names}
