r"""Where a parameter meets the signal: products $z = aW$, dense or convolutional, that use each weight once.

There $\partial_W f = \sum_s a_s \otimes g_s$ with the activations $a_s$ at the sites s and the cotangents
$g_s = \partial f / \partial z_s$. Between parameter and product only reshaping, transposing and factors may stand.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Literal
from jaxtyping import Array

from ..nets.window import channels_last, patches
from .program import Program, Step, perform, value

RESHAPED = ("reshape", "transpose", "squeeze", "rev", "neg", "copy", "copy_p")


class Site(NamedTuple):
    """The one product that a parameter enters.

    Attributes:
        leaf: number of the parameter.
        step: number of the step in the program.
        operand: which operand the weight is.
        sites, inputs, outputs: sizes S, |a_s| and |g_s|.
    """

    leaf: int
    step: int
    operand: int
    sites: int
    inputs: int
    outputs: int


class Uses(NamedTuple):
    """How parameters are used.

    Attributes:
        sites: step -> site, for parameters that enter one product and nothing else.
        idle: parameters that the result does not depend on.
        factors: value that is a multiple of a parameter, up to its shape -> (that value, place of the factor or None).
    """

    sites: dict[int, Site]
    idle: frozenset[int]
    factors: dict[int, tuple[int, Any]]


def find_sites(program: Program, parameters: int) -> Uses:
    """How the first `parameters` inputs of the program are used."""
    origin = {program.inputs[leaf]: leaf for leaf in range(parameters)}
    uniform: dict[int, Any] = {}  # arrays that repeat one number: where it stands
    factors: dict[int, tuple[int, Any]] = {}
    uses: dict[int, list[tuple[int, int]]] = {leaf: [] for leaf in range(parameters)}
    for number, step in enumerate(program.steps):
        if step.name == "broadcast_in_dim" and _shape(step, 0) == ():
            uniform[step.outputs[0]] = step.inputs[0]
        for k, place in enumerate(step.inputs):
            if isinstance(place, Literal) or place not in origin or step.name == "stop_gradient":
                continue
            passes, factor = _passes(step, k, uniform)
            if passes:
                origin[step.outputs[0]] = origin[place]
                factors[step.outputs[0]] = (place, factor)
            else:
                uses[origin[place]].append((number, k))
    for place in program.outputs:
        if not isinstance(place, Literal) and place in origin:
            uses[origin[place]].append((-1, 0))
    found = {}
    for leaf, places in uses.items():
        if len(places) == 1 and places[0][0] >= 0:
            site = _site(program.steps[places[0][0]], leaf, *places[0])
            if site is not None and site.step not in found:
                found[site.step] = site
    return Uses(found, frozenset(leaf for leaf, places in uses.items() if not places), factors)


def _shape(step: Step, k: int) -> tuple[int, ...]:
    return step.eqn.invars[k].aval.shape


def _passes(step: Step, k: int, uniform: dict[int, Any]) -> tuple[bool, Any]:
    """Whether a step only moves the entries of operand k, or multiplies all by one number; and that number's place."""
    before, after = step.eqn.invars[k].aval, step.eqn.outvars[0].aval
    if step.name in RESHAPED:
        return True, -1 if step.name == "neg" else None
    if step.name == "broadcast_in_dim":
        return math.prod(after.shape) == math.prod(before.shape), None
    if step.name == "convert_element_type":
        kinds = [jnp.issubdtype(aval.dtype, jnp.floating) for aval in (before, after)]
        return all(kinds) or before.dtype == after.dtype, None
    if step.name == "mul" or (step.name == "div" and k == 0):
        other = step.inputs[1 - k]
        if _shape(step, 1 - k) != ():
            if isinstance(other, Literal) or other not in uniform:
                return False, None
            other = uniform[other]
        same = step.inputs[0] is step.inputs[1] or step.inputs[0] == step.inputs[1]
        return after.shape == before.shape and not same, (step.name, other)
    return False, None


def _site(step: Step, leaf: int, number: int, operand: int) -> Site | None:
    weight, out = step.eqn.invars[operand].aval, step.eqn.outvars[0].aval
    if step.name == "dot_general":
        contracted, batch = step.eqn.params["dimension_numbers"]
        if batch[operand]:
            return None
        inputs = math.prod(weight.shape[axis] for axis in contracted[operand])
        outputs = math.prod(weight.shape) // max(inputs, 1)
    elif step.name == "conv_general_dilated" and operand == 1:
        if step.eqn.params["feature_group_count"] != 1 or step.eqn.params["batch_group_count"] != 1:
            return None
        outputs = weight.shape[step.eqn.params["dimension_numbers"].rhs_spec[0]]
        inputs = math.prod(weight.shape) // max(outputs, 1)
    else:
        return None
    return Site(leaf, number, operand, math.prod(out.shape) // max(outputs, 1), inputs, outputs)


def product_at(step: Step, site: Site, values: list[Any], scale: Any) -> tuple[Any, Array, Any]:
    """The product of a site: (z, activations (S, inputs) of the parameter itself, z from what may be added to it).

    A convolution has a rule of its own, see `_convolution`.
    """
    if step.name == "dot_general":
        contracted, _ = step.eqn.params["dimension_numbers"]
        other = values[1 - site.operand]
        axes = contracted[1 - site.operand]
        rest = [axis for axis in range(other.ndim) if axis not in axes]
        activations = jnp.transpose(other, (*rest, *axes)).reshape(site.sites, site.inputs)
        z = perform(step, values)[0]
        return z, _scaled(activations, scale), lambda z: z
    params = step.eqn.params
    lhs, rhs, out = params["dimension_numbers"]
    x = jnp.transpose(values[0], (lhs[0], *lhs[2:], lhs[1]))
    w = jnp.transpose(values[1], (*rhs[2:], rhs[1], rhs[0]))
    order, shape = (out[0], *out[2:], out[1]), step.eqn.outvars[0].aval.shape

    def finish(z: Array) -> Array:
        return jnp.transpose(z.reshape([shape[axis] for axis in order]), np.argsort(order).tolist())

    activations = _windows(x, w.shape[:-2], params).reshape(site.sites, site.inputs)
    return _convolution(params)(x, w).reshape(site.sites, site.outputs), _scaled(activations, scale), finish


def _convolution(params: dict[str, Any]) -> Callable[[Array, Array], Array]:
    """The convolution of (batch, *sites, inputs) with (*window, inputs, outputs), and cheap gradients for one example.

    By the signal: another convolution, of which XLA wants the axes in this order where it stands in a loop, else it is
    done forty times as slowly; JAX's own rule leaves inputs and outputs exchanged. By the filter: a product with
    patches of the signal, as XLA's convolution is slow where each example has a filter of its own.
    """

    def convolution(x: Array, w: Array, outputs_first: bool = False) -> Array:
        return lax.conv_general_dilated(
            x,
            w,
            params["window_strides"],
            params["padding"],
            params["lhs_dilation"],
            params["rhs_dilation"],
            channels_last(x.ndim - 2, outputs_first),
            precision=params["precision"],
            preferred_element_type=params["preferred_element_type"],
        )

    @jax.custom_vjp
    def product(x: Array, w: Array) -> Array:
        return convolution(x, w)

    def forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
        return convolution(x, w), (x, w)  # not `product`, which has no forward derivative

    def backward(given: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
        x, w = given
        exchanged = jnp.swapaxes(w, -1, -2)
        (by_x,) = jax.linear_transpose(lambda x: convolution(x, exchanged, True), x)(g)
        windows = _windows(x, w.shape[:-2], params)
        flat = windows.reshape(-1, windows.shape[-1])
        by_w = jnp.matmul(flat.T, g.reshape(-1, g.shape[-1]), precision=params["precision"])
        return by_x, by_w.reshape(w.shape)

    product.defvjp(forward, backward)
    return product


def cotangents_at(step: Step, site: Site, cotangents: Array) -> Array:
    """(outputs of the network, S, outputs of the site), from the derivative by the z of `product_at`."""
    if step.name == "dot_general" and site.operand == 0:
        flat = cotangents.reshape(cotangents.shape[0], site.outputs, site.sites)
        return jnp.swapaxes(flat, 1, 2)
    return cotangents.reshape(cotangents.shape[0], site.sites, site.outputs)


def probe_shape(step: Step, site: Site) -> tuple[int, ...]:
    """Shape of the z of `product_at`."""
    return (site.sites, site.outputs) if step.name == "conv_general_dilated" else step.eqn.outvars[0].aval.shape


def _windows(x: Array, window: tuple[int, ...], params: dict[str, Any]) -> Array:
    """The patches that a filter meets in (batch, *sites, channels): (batch, *sites, |window| * channels)."""
    margins = [
        (low, high, step - 1) for (low, high), step in zip(params["padding"], params["lhs_dilation"], strict=True)
    ]
    x = lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    one = functools.partial(patches, window=window, steps=params["window_strides"], dilation=params["rhs_dilation"])
    return jax.vmap(one)(x)


def _scaled(activations: Array, scale: Any) -> Array:
    return activations if scale is None else activations * jnp.asarray(scale, activations.dtype)


def scale_of(uses: Uses, places: dict[int, Any], place: Any) -> Any:
    """The number that a parameter was multiplied with on its way to `place`; None for 1."""
    total: Any = None
    while not isinstance(place, Literal) and place in uses.factors:
        place, factor = uses.factors[place]
        if factor is None:
            continue
        if isinstance(factor, tuple):
            number = value(places, factor[1])
            number = 1 / number if factor[0] == "div" else number
        else:
            number = factor
        total = number if total is None else total * number
    return total
