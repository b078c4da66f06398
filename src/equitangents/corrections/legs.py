"""Tensors of 1/width with their neurons written out: one index for (output, sample)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from .moments import Moments

NEEDED = ("K", "Theta", "H1", "A", "B", "P", "Q", "R", "S", "T", "U")
"""What training to order 1/width asks `expand` for."""


class Legs(NamedTuple):
    r"""Moments of a network of several outputs, N = outputs * samples, outputs first; those below k, ntk times n.

    Attributes:
        k, ntk: $E[z_I z_J]$ and $E\hat H_{IJ}$ at infinite width, (N, N).
        ntk1: n times the first correction of $E\hat H_{IJ}$.
        hh: $n\,\mathrm{Cov}(\hat H_{IJ}, \hat H_{KL})$, (N, N, N, N).
        dz: $n E[d\hat H_{IJK} z_L]$, (N, N, N, N).
        dd1, dd2: $n E\,dd\hat I$ and $n E\,dd\hat{II}$, (N, N, N, N).
    """

    k: Array
    ntk: Array
    ntk1: Array
    hh: Array
    dz: Array
    dd1: Array
    dd2: Array


def with_outputs(found: Moments, outputs: int) -> Legs:
    """The sums over pairings of neuron indices by which the tensors are defined."""
    eye = jnp.eye(outputs, dtype=found.K.dtype)

    def two(matrix: Array) -> Array:
        return jnp.kron(eye, matrix)

    def four(*parts: tuple[Array, str, str]) -> Array:
        """Each part: a tensor, its samples in the letters a b c d of the slots, and the pairs of neurons i j k l."""
        size = outputs * len(found.K)
        total = sum(jnp.einsum(f"{samples},{pairs}->iajbkcld", part, eye, eye) for part, samples, pairs in parts)
        return jnp.reshape(jnp.asarray(total), (size,) * 4)

    return Legs(
        two(found.K),
        two(found.Theta),
        two(found.H1),
        hh=four((found.A, "abcd", "ij,kl"), (found.B, "acbd", "ik,jl"), (found.B, "adbc", "il,jk")),
        dz=four((found.P, "abcd", "il,jk"), (found.Q, "abcd", "ij,kl"), (found.Q, "acbd", "ik,jl")),
        dd1=four((found.R, "abcd", "ij,kl"), (found.R, "acdb", "ik,lj"), (found.R, "adbc", "il,jk")),
        dd2=four((found.S, "abcd", "ij,kl"), (found.T, "acdb", "ik,lj"), (found.U, "adbc", "il,jk")),
    )


def training_indices(outputs: int, samples: int, trained: int) -> Array:
    """Where the first `trained` samples of all outputs stand among the N indices."""
    return (jnp.arange(outputs)[:, None] * samples + jnp.arange(trained)[None]).reshape(-1)


def check_trained(found: Moments, y: Array) -> None:
    """Raise unless `found` has all that training asks for, and y fits it."""
    if not isinstance(found, Moments):
        raise TypeError(
            f"expected the record of one layer, got {type(found).__name__}; take expand(net, x, NEEDED)[-1]."
        )
    if missing := [name for name in NEEDED if name not in found.tensors]:
        raise ValueError(
            f"expected the tensors that training needs, got none named {', '.join(missing)}; "
            "pass corrections.expand(net, x, corrections.NEEDED)[-1]."
        )
    check_targets(y, len(found.K))


def check_targets(y: Array, samples: int) -> None:
    """Raise unless y has the shape (trained samples, outputs)."""
    if y.ndim != 2 or not 0 < y.shape[0] <= samples or not y.shape[1]:
        raise ValueError(
            f"expected y of shape (n, outputs) for the first n of {samples} inputs, got {y.shape}; "
            "put the training inputs first in x, and write y[:, None] for one output."
        )
