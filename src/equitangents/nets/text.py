"""Descriptions of networks from text: `Serial(Conv(16, (3, 3)), Relu(), Dense(10))`, parsed and never executed."""

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from equitangents import nets

from ..spelling import nearest
from .base import AbstractLayer

KNOWN = [
    "Dense",
    "Conv",
    "AvgPool",
    "GlobalAvgPool",
    "Flatten",
    "LayerNorm",
    "Serial",
    "Residual",
    "Parallel",
    "Relu",
    "LeakyRelu",
    "Abs",
    "Erf",
    "Gelu",
    "Sin",
    "Cos",
    "Tanh",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Elu",
    "Identity",
]
LONGEST, DEEPEST = 20_000, 40
Layers = Mapping[str, Callable[..., AbstractLayer]]


def net_text(given: str, more: Layers | None = None) -> str:
    """A description that is given as text, or by the name of a file that holds it; see `read_net`."""
    try:
        is_file = Path(given).is_file()
    except (OSError, ValueError):  # too long for the name of a file
        is_file = False
    return read_net(given, more) if is_file else given


def read_net(path: str | Path, more: Layers | None = None) -> str:
    """The text of a description in a file, checked to be one; see `parse_net`.

    Raises:
        ValueError: the file cannot be read, or its text is no description.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"expected a readable file with a description, got {str(path)!r}: {reason}.") from None
    parse_net(text, more, W=16)
    return ast.unparse(ast.parse(text.strip(), mode="eval"))  # on one line, without comments


def parse_net(text: str, more: Layers | None = None, /, **names: int) -> AbstractLayer:
    """The network that a text describes: public layers, numbers, strings, tuples, and `names` for integers.

    Args:
        text: the description.
        more: layers of other folders, or your own, by name.
        names: integers that the text may name, such as a width W.

    Raises:
        ValueError: anything else; the message names it.

    >>> parse_net("Serial(Flatten(), Dense(2 * W), Relu(), Dense(1))", W=8)
    Serial(Flatten(), Dense(16), Relu(), Dense(1))
    """
    if len(text) > LONGEST:
        raise ValueError(f"net: expected at most {LONGEST} characters, got more; is this the right file?")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(
            f"net: expected a description such as Serial(Dense(64), Relu(), Dense(1)), got {_cut(text)}."
        ) from None
    net = _value(tree, names, {name: getattr(nets, name) for name in KNOWN} | dict(more or {}), 0)
    if not isinstance(net, AbstractLayer):
        raise ValueError(f"net: expected a layer such as Serial(Dense(64), Relu(), Dense(1)), got {_cut(text)}.")
    return net


def _value(node: ast.AST, names: dict[str, int], layers: Layers, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"net: expected at most {DEEPEST} levels of brackets, got more; write it flatter.")
    inside = lambda n: _value(n, names, layers, depth + 1)  # noqa: E731
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Tuple() | ast.List():
            return tuple(inside(e) for e in node.elts)
        case ast.UnaryOp(op=ast.USub()):
            return -_number(inside(node.operand), node)
        case ast.BinOp(op=ast.Mult() | ast.FloorDiv() | ast.Div()):
            return _arithmetic(node, _number(inside(node.left), node), _number(inside(node.right), node))
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name) if name in layers:
            raise ValueError(f"net: expected {name}(...), got {name} without brackets; write {name}().")
        case ast.Call(func=ast.Name(id=name)):
            return _layer(name, node, inside, layers)
    raise ValueError(
        f"net: expected layers, numbers, strings and tuples, got {_cut(ast.unparse(node))}; write those only, or name "
        "a file that exists."
    )


def _layer(name: str, node: ast.Call, inside: Any, layers: Layers) -> AbstractLayer:
    if name not in layers:
        near = nearest(name, layers)
        hint = f"did you mean {near}?" if near else f"the layers are {', '.join(layers)}."
        raise ValueError(f"net: expected a layer, got {name!r}; {hint}")
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        raise ValueError(f"net: expected plain arguments of {name}, got one with '*'; write them out.")
    arguments = [inside(a) for a in node.args]
    named = {str(k.arg): inside(k.value) for k in node.keywords}
    try:
        return layers[name](*arguments, **named)
    except (TypeError, ValueError) as error:
        raise ValueError(f"net: {' '.join(str(error).split())[:300]}") from None


def _number(value: Any, node: ast.AST) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"net: expected a number, got {_cut(ast.unparse(node))}; write one.")
    return value


def _arithmetic(node: ast.BinOp, left: Any, right: Any) -> Any:
    if isinstance(node.op, ast.Mult):
        return left * right
    if right == 0:
        raise ValueError("net: expected a divisor other than zero; correct it.")
    return left // right if isinstance(node.op, ast.FloorDiv) else left / right


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
