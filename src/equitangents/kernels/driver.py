"""From a description and two batches of inputs to matrices: NNGP and NTK."""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AbstractLayer, Serial, output_shape
from ..nets.base import is_known
from ..nets.dropout import one_evaluation
from ..numerics import safe_sqrt
from .doubtful import warn_of_errors
from .inputs import Batch, batch, check_inputs, input_covariances, vocabulary
from .kernel import Kernel, Needs
from .options import OPTIONS, kind_of
from .propagate import needs, propagate
from .repeats import folded
from .shortcut import shortened
from .tiles import by_rows, gram, piece_entries, tile_rows

Inputs = Array | Kernel


def nngp(net: AbstractLayer, x1: Inputs, x2: Array | None = None) -> Array:
    r"""Covariance $E[f(x_1) f(x_2)]$ of the network's output at initialisation, as its width goes to infinity.

    Args:
        net: the description; its widths are not used.
        x1: (n1, *sites, channels), or a `Kernel` of two batches as `kernel` returns it; then x2 is left out.
        x2: (n2, *sites, channels); None means x1, and the symmetric half is computed once.

    Returns:
        (n1, n2) for each output channel; (n1, n2, *sites, *sites) where the output has sites.

    Raises:
        TypeError, ValueError: inputs that do not fit the network, before anything is traced.
        NotImplementedError: a layer without a rule.

    References:
        Neal (1996); Lee et al. (2018), arXiv:1711.00165.

    >>> import jax.numpy as jnp
    >>> from equitangents import Dense, Relu, Serial
    >>> float(nngp(Serial(Dense(1), Relu(), Dense(1)), jnp.ones((1, 3)))[0, 0])
    0.5
    """
    return _matrices(net, x1, x2, ("nngp",))[0]


def ntk(net: AbstractLayer, x1: Inputs, x2: Array | None = None) -> Array:
    r"""Neural tangent kernel $\sum_\theta \partial_\theta f(x_1)\, \partial_\theta f(x_2)$, as width goes to infinity.

    Arguments, shapes and errors as for `nngp`. Parameters count with their learning-rate factors.

    References:
        Jacot et al. (2018), arXiv:1806.07572, theorem 1.

    >>> import jax.numpy as jnp
    >>> from equitangents import Dense, Relu, Serial
    >>> float(ntk(Serial(Dense(1), Relu(), Dense(1)), jnp.ones((1, 3)))[0, 0])
    1.0
    """
    return _matrices(net, x1, x2, ("ntk",))[0]


def nngp_and_ntk(net: AbstractLayer, x1: Inputs, x2: Array | None = None) -> tuple[Array, Array]:
    """Both kernels in one pass; arguments, shapes and errors as for `nngp`."""
    first, second = _matrices(net, x1, x2, ("nngp", "ntk"))
    return first, second


def kernel(net: AbstractLayer, x1: Inputs, x2: Array | None = None) -> Kernel:
    """All that is known after `net`, to be passed on: `nngp(head, kernel(body, x1, x2))` is `nngp` of both in a row.

    Args:
        net: the description.
        x1, x2: as for `nngp`.

    Returns:
        A `Kernel` whose arrays have leading batch axes: k11 (n1, ...), k22 (n2, ...), k12, d and ntk (n1, n2, ...).
        Covariances between all sites are kept, so this takes the memory that `nngp` saves.
    """
    _check(net, x1, x2)
    return _whole(_described(net, x1), x1, x2)


def _matrices(net: AbstractLayer, x1: Inputs, x2: Array | None, names: tuple[str, ...]) -> tuple[Array, ...]:
    _check(net, x1, x2)
    if isinstance(x1, Kernel):
        out = _whole(_described(net, x1), x1, None)
        both = {"nngp": out.k12, "ntk": out.ntk}
        return tuple(both[name] for name in names)
    matrices = _in_tiles(net, x1, x2, names)
    alone, random = one_evaluation(net)
    if x2 is not None or not random:
        return matrices
    n = jnp.arange(x1.shape[0])
    own = _diagonal(alone, x1, names)
    return tuple(whole.at[n, n].set(part) for whole, part in zip(matrices, own, strict=True))


@functools.partial(jax.jit, static_argnums=2)
def _diagonal(net: AbstractLayer, x: Array, names: tuple[str, ...]) -> tuple[Array, ...]:
    """Each input with itself, in one evaluation of a network with dropout."""
    return jax.lax.map(lambda one: tuple(k[0, 0] for k in _in_tiles(net, one[None], None, names)), x)


def _in_tiles(net: AbstractLayer, x1: Array, x2: Array | None, names: tuple[str, ...]) -> tuple[Array, ...]:
    other = x1 if x2 is None else x2
    net = shortened(net, x1.shape[1:])
    backend, entries = jax.default_backend(), _entries(net, x1.shape[1:])
    rows = tile_rows(backend, entries, x1.shape[0], other.shape[0], x1.dtype.itemsize)
    arguments = (Description.of(folded(net)), x1, x2)
    return _compiled[kind_of(arguments, entries == 1)](*arguments, names, rows, piece_entries(backend))


class Description(eqx.Module):
    """A description whose zeros the compiler knows: what they multiply, such as a bias, is left out of the program."""

    numbers: list[Any]
    structure: Any = eqx.field(static=True)
    zeros: tuple[bool, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, net: AbstractLayer) -> "Description":
        leaves, structure = jax.tree.flatten(net)
        zeros = tuple(is_known(leaf) and leaf == 0 for leaf in leaves)
        return cls([leaf for leaf, zero in zip(leaves, zeros, strict=True) if not zero], structure, zeros)

    def net(self) -> AbstractLayer:
        rest = iter(self.numbers)
        return jax.tree.unflatten(self.structure, [0.0 if zero else next(rest) for zero in self.zeros])


def _described(net: AbstractLayer, x1: Inputs) -> Description:
    shape = (*x1.sites, 1) if isinstance(x1, Kernel) else x1.shape[1:]  # rules of kernels know no channels
    return Description.of(folded(shortened(net, shape)))


def _matrices_of_pairs(
    description: Description, x1: Array, x2: Array | None, names: tuple[str, ...], rows: tuple[int, int], pieces: int
) -> tuple[Array, ...]:
    net = description.net()
    wanted = needs(net, Needs(True, "none"))

    def tile(a: Batch, b: Batch) -> tuple[Array, ...]:
        k = _inputs(a, b, wanted)
        if k.k11 is None or k.k22 is None or k.d is None or k.sites or a.mask is not None:
            return chosen(k)
        r2 = safe_sqrt(k.k22)

        def piece(given: tuple[Array, Array, Array | None]) -> tuple[Array, ...]:
            k11, d, low11 = given
            k12 = safe_sqrt(k11)[:, None] * r2[None, :] * (1 - d)
            return chosen(Kernel(k11, k12, k.k22, d, jnp.zeros_like(d), low11=low11, low22=k.low22))

        # layers go over a few rows at a time: their arrays stay in the nearest cache
        return by_rows(piece, (k.k11, k.d, k.low11), pieces)

    def chosen(k: Kernel) -> tuple[Array, ...]:
        out = _propagated(net, k)
        both = {"nngp": out.k12, "ntk": out.ntk}
        return tuple(_between_sites(both[name], out) for name in names)

    return gram(tile, batch(net, x1, wanted, x2 is None), None if x2 is None else batch(net, x2, wanted), rows)


_compiled = {
    kind: jax.jit(_matrices_of_pairs, static_argnums=(3, 4, 5), compiler_options=options)
    for kind, options in OPTIONS.items()
}


def _entries(net: AbstractLayer, shape: tuple[int, ...]) -> int:
    """Numbers that the kernel of one pair of inputs holds at the widest place of the network."""
    layers = net.layers if isinstance(net, Serial) else (net,)
    wanted = [Needs(True, "none")]
    for layer in reversed(layers):
        wanted.append(needs(layer, wanted[-1]))
    widest = 1
    known: dict[Any, tuple[int, ...]] = {}
    for layer, before in zip(layers, reversed(wanted), strict=False):
        held = before.held or math.prod(shape[:-1]) ** 2
        widest = max(widest, held if before.pairs else math.prod(shape[:-1]))
        kind = (jax.tree.structure(layer), shape)
        shape = known[kind] = known[kind] if kind in known else output_shape(layer, shape)
    return max(widest, math.prod(shape[:-1]) ** 2)


@jax.jit
def _whole(description: Description, x1: Inputs, x2: Array | None) -> Kernel:
    net = description.net()
    if isinstance(x1, Kernel):
        return _propagated(net, x1)
    wanted = needs(net, Needs(True, "pairs", True))
    return _propagated(net, _inputs(batch(net, x1, wanted), batch(net, x1 if x2 is None else x2, wanted), wanted))


def _inputs(one: Batch, two: Batch, wanted: Needs) -> Kernel:
    k12, d = input_covariances(one, two, wanted)
    sites = one.x.shape[1:-1]
    return Kernel(
        one.variances, k12, two.variances, d, jnp.zeros_like(k12), sites, False, one.mask, two.mask, one.low, two.low
    )


def _propagated(net: AbstractLayer, k: Kernel) -> Kernel:
    """`propagate` over all pairs of two batches; what belongs to one input is computed once for it."""
    static: list[tuple[tuple[int, ...], bool]] = []

    def one(k11, k12, k22, d, ntk, mask1, mask2, low11, low22):
        out = propagate(net, Kernel(k11, k12, k22, d, ntk, k.sites, k.gaussian, mask1, mask2, low11, low22))
        static.append((out.sites, out.gaussian))
        return out.k11, out.k12, out.k22, out.d, out.ntk, out.low11, out.low22

    columns = jax.vmap(one, (None, 0, 0, 0, 0, None, 0, None, 0), (None, 0, 0, 0, 0, None, 0))
    rows = jax.vmap(columns, (0, 0, None, 0, 0, 0, None, 0, None), (0, 0, None, 0, 0, 0, None))
    k11, k12, k22, d, ntk, low11, low22 = rows(k.k11, k.k12, k.k22, k.d, k.ntk, k.mask1, k.mask2, k.low11, k.low22)
    sites, gaussian = static[-1]
    return Kernel(k11, k12, k22, d, ntk, sites, gaussian, low11=low11, low22=low22)


def _between_sites(k: Array, out: Kernel) -> Array:
    """(n1, n2, *sites, *sites): where only equal sites are known the network mixes none, and this is an error."""
    if k.ndim == 2 + 2 * len(out.sites):
        if k.shape[2:] != (*out.sites, *out.sites):
            raise ValueError(
                "expected a network whose output is no function on a group of rotations, of which only the correlation "
                "k(g h^-1) is held; end it with RotationPool or RotationProjection, or see `kernel(net, x1, x2)`."
            )
        return k
    raise ValueError("expected covariances between all sites of the output; `needs` of a layer drops them.")


def _check(net: object, x1: object, x2: object) -> None:
    if not isinstance(net, AbstractLayer):
        what = f"the class {net.__name__}" if isinstance(net, type) else repr(net)
        raise TypeError(f"expected a description such as Serial(Dense(64), Relu(), Dense(1)), got {what}.")
    needs(net, Needs(True, "none"))  # layers that have no kernel say so here, whatever the inputs
    if isinstance(x1, Kernel):
        if x2 is not None:
            raise ValueError("expected no x2 beside a Kernel, which holds both batches already; leave x2 out.")
        warn_of_errors(net, x1)
        return
    check_inputs(x1, "x1", vocabulary(net))
    output_shape(net, x1.shape[1:])  # type: ignore[attr-defined]
    if x2 is None:
        warn_of_errors(net, x1)
        return
    check_inputs(x2, "x2", vocabulary(net))
    if x1.shape[1:] != x2.shape[1:]:  # type: ignore[attr-defined]
        raise ValueError(
            f"expected x1 and x2 with examples of one shape, got {x1.shape[1:]} and {x2.shape[1:]}."  # type: ignore
        )
    if x1.dtype != x2.dtype:  # type: ignore[attr-defined]
        raise TypeError(f"expected x1 and x2 of one dtype, got {x1.dtype} and {x2.dtype}; convert one.")  # type: ignore
    warn_of_errors(net, x1, x2)
