"""A function of JAX as a flat list of primitive operations, to be looked at and run again."""

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jaxtyping import Array

from ..nets.window import CONVOLUTIONS, channels_last

Place = int | Literal


class Step(NamedTuple):
    """One primitive operation; places are numbers of values, or literal constants."""

    eqn: Any  # a JaxprEqn, whose abstract values have no typed shape
    inputs: tuple[Place, ...]
    outputs: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.eqn.primitive.name


class Program(NamedTuple):
    """What a function does, calls of jitted functions written out.

    Attributes:
        inputs: places of the flat arguments.
        outputs: places of the flat results.
        results: their shapes and precisions.
        constants: what the function closes over.
        steps: operations in their order.
    """

    inputs: tuple[int, ...]
    outputs: tuple[Place, ...]
    results: tuple[Any, ...]
    constants: dict[int, Any]
    steps: tuple[Step, ...]


def trace(function: Callable[..., Any], *args: Any) -> Program:
    """The program of `function` at arguments of these shapes (arrays or `jax.ShapeDtypeStruct`)."""
    numbers = itertools.count()
    constants: dict[int, Any] = {}
    steps: list[Step] = []

    def walk(jaxpr: Jaxpr, consts: Iterable[Any], inputs: Iterable[Place]) -> list[Place]:
        places: dict[Any, Place] = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, consts, strict=True):
            places[variable] = number = next(numbers)
            constants[number] = value

        def read(atom: Any) -> Place:
            return atom if isinstance(atom, Literal) else places[atom]

        for eqn in jaxpr.eqns:
            read_in = [read(atom) for atom in eqn.invars]
            inner = eqn.params.get("jaxpr")
            if eqn.primitive.name in ("jit", "pjit") and isinstance(inner, ClosedJaxpr):
                inner = _convolution(eqn) or inner
                places.update(zip(eqn.outvars, walk(inner.jaxpr, inner.consts, read_in), strict=True))
                continue
            outputs = tuple(next(numbers) for _ in eqn.outvars)
            places.update(zip(eqn.outvars, outputs, strict=True))
            steps.append(Step(eqn, tuple(read_in), outputs))
        return [read(atom) for atom in jaxpr.outvars]

    closed = jax.make_jaxpr(function)(*args)
    inputs = tuple(next(numbers) for _ in closed.jaxpr.invars)
    outputs = walk(closed.jaxpr, closed.consts, inputs)
    return Program(inputs, tuple(outputs), tuple(closed.out_avals), constants, tuple(steps))


def _convolution(eqn: Any) -> ClosedJaxpr | None:
    """A `patch_product` as one convolution, None for anything else."""
    numbers = CONVOLUTIONS.get(eqn.params.get("name"))
    if numbers is None or len(eqn.invars) != 2 or len(eqn.outvars) != 1:
        return None  # the name stays on what JAX makes of it, such as its linear part
    x, w = (jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars)
    if [len(x.shape), len(w.shape)] != [len(numbers.steps) + k for k in (1, 2)] or x.shape[-1] != w.shape[-2]:
        return None
    axes = channels_last(len(numbers.steps))

    def convolution(x: Array, w: Array) -> Array:
        return lax.conv_general_dilated(
            x[None], w, numbers.steps, numbers.margins, rhs_dilation=numbers.dilation, dimension_numbers=axes
        )[0]

    found, wanted = jax.make_jaxpr(convolution)(x, w), eqn.outvars[0].aval
    same = found.out_avals[0].shape == wanted.shape and found.out_avals[0].dtype == wanted.dtype
    return found if same else None


def value(places: dict[int, Any], place: Place) -> Any:
    """What stands at a place: a constant of the program, or what was computed so far."""
    return place.val if isinstance(place, Literal) else places[place]


def perform(step: Step, values: list[Any]) -> list[Any]:
    """Results of one operation, as it was traced."""
    primitive = step.eqn.primitive
    found = primitive.get_bind_params(step.eqn.params)
    functions, params = ((), found) if isinstance(found, dict) else found  # a dict from JAX 0.10 on
    out = primitive.bind(*functions, *values, **params)
    return list(out) if primitive.multiple_results else [out]


def kept_bytes(program: Program, start: Iterable[int]) -> int:
    """Bytes of all that depends on the places `start`, inside of loops included: a bound on what is held at once."""
    known, total = set(start), 0
    for step in program.steps:
        if any(not isinstance(place, Literal) and place in known for place in step.inputs):
            known.update(step.outputs)
            total += _eqn_bytes(step.eqn)
    return total


def _eqn_bytes(eqn: Any) -> int:
    own = sum(math.prod(v.aval.shape) * v.aval.dtype.itemsize for v in eqn.outvars if hasattr(v.aval, "dtype"))
    inner = 0
    for param in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda p: isinstance(p, ClosedJaxpr | Jaxpr)):
        jaxpr: Any = param.jaxpr if isinstance(param, ClosedJaxpr) else param
        if isinstance(jaxpr, Jaxpr):
            inner += sum(_eqn_bytes(e) for e in jaxpr.eqns)
    return own + inner * eqn.params.get("length", 1)
