r"""The formula of a diagram, with dummy indices, as text or LaTeX.

$u$ and $v$ are the first and second derivative of $\omega$ with respect to its first leg, $\omega^{(i,j)}$ others;
$\langle f ; g \rangle = \langle f g \rangle - \langle f \rangle \langle g \rangle$, and so on: joint cumulants.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from .diagrams import Cubic, Diagram
from .show import latex_name, latex_number, latex_power, latex_sigma, text_name, text_power, text_sigma
from .tensors import tensor


class Notation(NamedTuple):
    """How things are written."""

    number: Callable[[Fraction], str]
    power: Callable[[str, int], str]
    name: Callable[[str], str]
    sigma: Callable[[int], str]
    subscript: str  # a template
    theta: str
    omega: str
    derived: str  # a template: higher derivatives of omega
    partial: str
    mean: str  # a template
    dummies: tuple[str, ...]


TEXT = Notation(
    str, text_power, text_name, text_sigma, "_{}", "Θ", "ω", "ω^({},{})", "∂", "⟨{}⟩", tuple("ρκμντχξηζφψπεγδι")
)  # fmt: skip
LATEX = Notation(
    latex_number, latex_power, latex_name, latex_sigma, "_{{{}}}", r"\Theta", r"\omega", r"\omega^{{({},{})}}",
    r"\partial", r"\langle {} \rangle",
    (
        r"\rho ", r"\kappa ", r"\mu ", r"\nu ", r"\tau ", r"\chi ", r"\xi ", r"\eta ", r"\zeta ", r"\varphi ", r"\psi ",
        r"\pi ", r"\varepsilon ", r"\gamma ", r"\delta ", r"\iota ",
    ),
)  # fmt: skip


def formula(diagram: Diagram, notation: Notation) -> str:
    """The product that a diagram stands for."""
    sub = notation.subscript.format
    ratio = sum(tensor(cumulant.name).order for cumulant in diagram.cumulants)
    parts = ["" if diagram.factor == 1 else notation.number(diagram.factor)]
    parts += [notation.power("r", ratio), notation.power("C_W", sum(not cubic.omega for cubic in diagram.cubics))]
    parts += [notation.theta + sub(f"{a}{b}") for a, b in diagram.thetas]
    names = labels(diagram, notation.dummies)
    for cumulant, indices in zip(diagram.cumulants, names, strict=True):
        parts.append(notation.name(cumulant.name) + sub("".join(indices).strip()))
    for b, groups in enumerate(diagram.blobs):
        acting = acting_on(diagram, b, names)
        inside = " ; ".join(" ".join(decoration(diagram.cubics[c], notation) for c in group) for group in groups)
        if acting:
            one = len(inside.split()) == 1
            derivatives = " ".join(notation.partial + sub(name.strip()) for name in acting)
            inside = f"{derivatives} {inside}" if one else f"{derivatives}({inside})"
        parts.append(notation.mean.format(inside))
    return " ".join(filter(None, parts))


def labels(diagram: Diagram, dummies: tuple[str, ...]) -> list[list[str]]:
    """For each cumulant its indices: slots, and dummies for open legs."""
    rest = iter(dummies)
    return [[next(rest) if leg.slot is None else str(leg.slot) for leg in c.legs] for c in diagram.cumulants]


def acting_on(diagram: Diagram, blob: int, names: list[list[str]]) -> list[str]:
    """The dummies of the derivatives that act on a blob."""
    return [
        name
        for cumulant, indices in zip(diagram.cumulants, names, strict=True)
        for leg, name in zip(cumulant.legs, indices, strict=True)
        if leg.blob == blob and leg.slot is None
    ]


def decoration(cubic: Cubic, notation: Notation) -> str:
    """What a cubic vertex brings: a product of two sigma's, or omega or a derivative of it."""
    (a, b), (i, j) = cubic.slots, cubic.orders
    sub = notation.subscript.format
    if not cubic.omega:
        return f"{notation.sigma(i)}{sub(a)} {notation.sigma(j)}{sub(b)}"
    if min(i, j) == 0 and max(i, j) < 3:
        return (notation.omega, "u", "v")[max(i, j)] + sub(f"{b}{a}" if j > i else f"{a}{b}")
    return notation.derived.format(i, j) + sub(f"{a}{b}")
