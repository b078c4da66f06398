r"""Gradients of one network for many examples, in the form in which their products are cheapest.

A weight that enters one product $z = aW$ has $\partial_W f_o(x) = \sum_s a_s \otimes g_{os}$, so that two examples give
$\sum_{st} (a_s \cdot a'_t)(g_{os} \cdot g'_{pt})$: Gram matrices of activations and of cotangents, and no gradient of
the weight's size. Where that is more work, as for convolutions on many sites, and for all other parameters, it is the
product of the gradients themselves.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .program import Program, kept_bytes, perform, trace, value
from .uses import Site, Uses, cotangents_at, find_sites, probe_shape, product_at, scale_of

Features = tuple[list[Array], list[tuple[Array, Array]]]


class Network(NamedTuple):
    """A function (parameters, example) -> outputs, taken apart.

    Attributes:
        program: its operations; the first inputs are the parameters.
        uses: how parameters enter.
        leaves: shapes and precisions of the parameters.
        size: number of outputs.
        dtype: precision of the outputs.
    """

    program: Program
    uses: Uses
    leaves: tuple[jax.ShapeDtypeStruct, ...]
    size: int
    dtype: Any

    @property
    def working_bytes(self) -> int:
        """Bytes of what is computed on the way to the outputs of one example: an upper bound."""
        patches = sum(
            site.sites * site.inputs * self.dtype.itemsize
            for step, site in self.uses.sites.items()
            if self.program.steps[step].name == "conv_general_dilated"
        )
        return kept_bytes(self.program, self.program.inputs[len(self.leaves) :]) + patches


def taken_apart(function: Any, leaves: Sequence[Array | jax.ShapeDtypeStruct], example: Any) -> Network:
    """`function(leaves, example)` as a `Network`; it must return one vector of real numbers."""
    program = trace(function, list(leaves), example)
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    (out,) = program.results
    return Network(program, find_sites(program, len(shapes)), shapes, out.shape[0], out.dtype)


class Split(NamedTuple):
    """Which parameters are treated how.

    Attributes:
        gram: sites whose weights are treated by Gram matrices, by number of the step.
        plain: numbers of the parameters whose gradients are formed.
    """

    gram: dict[int, Site]
    plain: tuple[int, ...]


def cheapest(network: Network, rows: int, pairs: int, outputs: str, group: int) -> Split:
    """The split with the fewest operations for so many examples and pairs, `group` outputs at once."""
    between = group**2 if outputs == "full" else group
    gram = {}
    for step, site in network.uses.sites.items():
        size = site.inputs * site.outputs
        jacobian = rows * group * site.sites * size + pairs * between * size
        products = pairs * site.sites**2 * (site.inputs + between * (site.outputs + 1))
        if products <= jacobian:
            gram[step] = site
    treated = {site.leaf for site in gram.values()} | network.uses.idle
    return Split(gram, tuple(leaf for leaf in range(len(network.leaves)) if leaf not in treated))


def feature_bytes(network: Network, split: Split, group: int) -> int:
    """Bytes of `features` of one example and `group` outputs."""
    plain = sum(math.prod(network.leaves[k].shape) * network.leaves[k].dtype.itemsize for k in split.plain)
    total = plain * group
    for site in split.gram.values():
        width = network.leaves[site.leaf].dtype.itemsize
        total += width * site.sites * (site.inputs + group * site.outputs)
    return total


def features(network: Network, split: Split, leaves: Sequence[Array], example: Any, cotangents: Array) -> Features:
    """Gradients of cotangents @ outputs for one example.

    Args:
        cotangents: (group, size), rows of the unit matrix.

    Returns:
        Gradients (group, *shape) of the plain parameters; for each site of the split its activations (S, inputs) and
        cotangents (group, S, outputs), without the axis S where it is 1: for that XLA would copy them once more.
    """
    steps = network.program.steps
    probes = {
        k: jnp.zeros(probe_shape(steps[k], site), steps[k].eqn.outvars[0].aval.dtype) for k, site in split.gram.items()
    }

    def run(free: dict[int, Array], probes: dict[int, Array]) -> tuple[Array, dict[int, Array]]:
        return _run(network, split, [free.get(k, leaf) for k, leaf in enumerate(leaves)], example, probes)

    _, pull, activations = jax.vjp(run, {k: leaves[k] for k in split.plain}, probes, has_aux=True)
    gradients, moved = jax.vmap(pull)(cotangents)
    plain = [gradients[k] for k in split.plain]
    pairs = [(site, activations[k], cotangents_at(steps[k], site, moved[k])) for k, site in split.gram.items()]
    return plain, [(a[0], g[:, 0]) if site.sites == 1 else (a, g) for site, a, g in pairs]


def _run(network: Network, split: Split, leaves: list[Array], example: Any, probes: dict[int, Array]) -> Any:
    program, uses = network.program, network.uses
    places = dict(zip(program.inputs, [*leaves, *jax.tree.leaves(example)], strict=True)) | program.constants
    activations = {}
    for number, step in enumerate(program.steps):
        values = [value(places, place) for place in step.inputs]
        site = uses.sites.get(number)
        if site is None:
            results = perform(step, values)
        else:
            scale = scale_of(uses, places, step.inputs[site.operand])
            z, a, finish = product_at(step, site, values, scale)
            if number in split.gram:
                z, activations[number] = z + probes[number], a
            results = [finish(z)]
        places.update(zip(step.outputs, results, strict=True))
    return value(places, program.outputs[0]), activations


def products(first: Features, second: Features, outputs: str, dtype: Any) -> Array:
    """Sums over all parameters of products of features that have a leading axis of examples.

    Returns:
        (n1, n2), the sum over outputs, for "trace"; (n1, n2, group) for "diagonal"; (n1, n2, group, group) for "full".
        Real and imaginary parts of complex parameters count as two parameters.
    """
    terms = [_between(g, h, outputs) for g, h in zip(first[0], second[0], strict=True)]
    terms += [_layer(*a, *b, outputs) for a, b in zip(first[1], second[1], strict=True)]
    terms = [jnp.real(term).astype(dtype) for term in terms]
    total = sum(terms[1:], terms[0])
    if outputs == "trace":
        return total
    return jnp.moveaxis(total, 0, -1) if outputs == "diagonal" else jnp.swapaxes(total, 1, 2)


def _gram(g: Array, h: Array) -> Array:
    return jnp.matmul(jnp.conj(g), h.T, precision=lax.Precision.HIGHEST)


def _between(g: Array, h: Array, outputs: str) -> Array:
    """(n1, group, ...) with (n2, group, ...) to (n1, n2), (group, n1, n2) or (n1, group, n2, group)."""
    (n1, group), n2 = g.shape[:2], h.shape[0]
    if outputs == "trace":
        return _gram(g.reshape(n1, -1), h.reshape(n2, -1))
    if outputs == "diagonal":
        return jax.vmap(_gram)(*(jnp.swapaxes(a.reshape(*a.shape[:2], -1), 0, 1) for a in (g, h)))
    return _gram(g.reshape(n1 * group, -1), h.reshape(n2 * group, -1)).reshape(n1, group, n2, group)


# sums over channels of cotangents, and then over sites with the products of activations
_SUMS = {
    "trace": ("iosc,jotc->ijst", "ijst,ijst->ij"),
    "diagonal": ("iosc,jotc->oijst", "ijst,oijst->oij"),
    "full": ("iosc,jptc->iojpst", "ijst,iojpst->iojp"),
}


_ALIGNED = {"trace": ..., "diagonal": None, "full": (slice(None), None, slice(None), None)}


def _layer(a: Array, g: Array, b: Array, h: Array, outputs: str) -> Array:
    """Activations (n1, S, inputs) and cotangents (n1, group, S, outputs) with the others', summed as `_between`."""
    if a.ndim == 2:  # one site
        return _gram(a, b)[_ALIGNED[outputs]] * _between(g, h, outputs)
    cotangents, both = _SUMS[outputs]
    highest = lax.Precision.HIGHEST
    inputs = jnp.einsum("isc,jtc->ijst", jnp.conj(a), b, precision=highest)
    return jnp.einsum(both, inputs, jnp.einsum(cotangents, jnp.conj(g), h, precision=highest), precision=highest)


def pair_bytes(network: Network, split: Split, outputs: str, group: int) -> int:
    """Bytes that the product of two examples takes on the way, at most."""
    between = {"trace": 1, "diagonal": group, "full": group**2}[outputs]
    widest = max((site.sites for site in split.gram.values()), default=1)
    return 8 * (widest**2 * (1 + between) + 2 * between)
