"""The 1/width expansion of a network: `expand(net, x)`."""

from collections.abc import Iterable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation, AbstractLayer
from .accuracy import choose_nodes
from .chain import chain, check_inputs, flat, is_over_sites
from .compile import closure, compiled
from .moments import Moments
from .over_sites import MOST, choose_nodes_over_sites, over_sites
from .rules import COARSER, Nodes, rules
from .solve import all_layers
from .stages import stages
from .tensors import tensor

ALL = ("K", "Theta", "G1", "H1", "V", "D", "F", "A", "B")
"""What is computed unless something else is asked for: the statistics of preactivations and NTK."""
WITH_KINKS = ALL
"""What exists for a nonlinearity with a kink."""


def expand(
    net: AbstractLayer, x: Array, tensors: Iterable[str] = ALL, nodes: Nodes | tuple[int, int] | None = None
) -> tuple[Moments, ...]:
    r"""Tensors of order 1 and 1/width of every layer with weights, on m inputs.

    Args:
        net: Dense, nonlinearity, Dense, ..., Dense, with any widths, priors and rates, which may differ by layer; or
            other layers with one set of weights for all sites, such as Conv, Lift and GroupConv, and averages such as
            pools and Flatten. Widths count channels.
        x: (m, channels), float64, or (inputs, *sites, channels). The cost over more than four inputs is that of their
            subsets of four; with sites, m is inputs times sites.
        tensors: names, such as "K", "Theta", "G1", "H1", "V", "D", "F", "A", "B", or "P" to "U" of dNTK and ddNTK.
            Those with two indices alone ask for pairs of inputs only, however many there are.
        nodes: of the quadrature in each dimension: over at most two inputs, and over more. By default 100, and as many
            as an error of 1e-6 asks for, if the numbers of the network and the inputs can be looked at.

    Returns:
        One record for each dense layer: `expand(net, x)[l - 1].V`.

    Raises:
        TypeError: a layer that keeps channels apart, has parameters of another kind or is not linear; a precision
            other than float64.
        ValueError: no nonlinearity between layers with weights; more than 32 inputs times sites; an unknown tensor.
        NotImplementedError: means that do not exist, as those of "P" to "U" for a kink.

    References:
        Roberts, Yaida and Hanin (2022), arXiv:2106.10165; Guillen, Misof and Gerken (2025), arXiv:2508.11522.

    >>> import jax
    >>> from equitangents.nets import Dense, Identity, Serial
    >>> jax.config.update("jax_enable_x64", True)
    >>> linear = Serial(Dense(50), Identity(), Dense(50), Identity(), Dense(1))
    >>> [round(float(record.V[0, 0, 0, 0]), 6) for record in expand(linear, jnp.ones((1, 3)))]  # 2 (l - 1) K^2
    [0.0, 2.0, 4.0]
    """
    check_inputs(x)
    names = _named(tensors)
    _check_kinks(net, names)
    if is_over_sites(net, x):
        return _expand_over_sites(net, x, closure(names), nodes)
    found = chain(net, x)
    if x.shape[0] > MOST and any(tensor(name).slots > 2 for name in names):
        raise ValueError(
            f"expected at most {MOST} inputs for tensors of four indices, got {x.shape[0]}; take fewer at a time, or "
            'ask for tensors of two: tensors=("K", "Theta", "G1", "H1").'
        )
    program = compiled(names, x.shape[0])
    gram = jnp.matmul(x, x.T, precision=lax.Precision.HIGHEST) / x.shape[1]
    hypers = found.hypers(x.dtype)
    nodes = choose_nodes(found.runs(), gram, hypers) if nodes is None else nodes
    fine, coarse = (all_layers(program, found.runs(), rules(nodes, share), gram, hypers) for share in (1.0, COARSER))
    tensors, others = program.unpack(fine), program.unpack(coarse)
    errors = {name: _relative(tensors[name], others[name]) for name in tensors}
    return tuple(
        Moments(
            layer=i + 1,
            width=width,
            tensors={name: tensors[name][i] for name in tensors},
            errors={name: errors[name][i] for name in errors},
        )
        for i, width in enumerate(found.fan_in)
    )


def _expand_over_sites(
    net: AbstractLayer, x: Array, names: tuple[str, ...], nodes: Nodes | tuple[int, int] | None
) -> tuple[Moments, ...]:
    parts, between = stages(net, x)
    nodes = choose_nodes_over_sites(parts, between, x) if nodes is None else nodes
    fine, coarse = (over_sites(parts, between, x, names, rules(nodes, share)) for share in (1.0, COARSER))
    return tuple(
        Moments(
            layer=i + 1,
            width=part.channels,
            tensors=tensors,
            errors={name: _relative(tensors[name][None], others[name][None])[0] for name in tensors},
            sites=part.after,
        )
        for i, (part, tensors, others) in enumerate(zip(parts, fine, coarse, strict=True))
    )


def _check_kinks(net: AbstractLayer, names: tuple[str, ...]) -> None:
    """Raise where a nonlinearity with a kink meets a tensor that needs its second derivative at a point."""
    undefined = [name for name in names if tensor(name).name not in WITH_KINKS]
    kinked = [layer for layer in flat(net) if isinstance(layer, AbstractActivation) and layer.kinks]
    if undefined and kinked:
        raise NotImplementedError(
            f"{', '.join(undefined)} of {kinked[0]!r} need products of delta functions with steps at one point, which "
            f"are not defined; leave them out, {', '.join(WITH_KINKS)} are, or take a smooth one such as Gelu()."
        )


def _named(tensors: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tensors, str):
        raise TypeError(f'expected several names of tensors, got the string {tensors!r}; write ("{tensors}",).')
    return tuple(tensors)


def _relative(fine: Array, coarse: Array) -> Array:
    """(L,): the largest difference of any component, in units of the largest component; 0 where all are 0."""
    axes = tuple(range(1, fine.ndim))
    size = jnp.max(jnp.abs(fine), axis=axes)
    return jnp.max(jnp.abs(fine - coarse), axis=axes) / jnp.where(size > 0, size, 1.0)
