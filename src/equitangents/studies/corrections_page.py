"""The page of the command `corrections`: one file, nothing loaded from elsewhere."""

import html
import re
from typing import Any

from .. import __version__, plots
from ..corrections import diagrams, recursion, tensor
from ..corrections.show import GREEK, text_name
from .corrections_text import (
    ACTIVATION_HEADS,
    LAYER_HEADS,
    activation_cells,
    layer_cells,
    needed,
    verdict,
)
from .page import template

LEGEND = (
    "Numbers 0, 1, 2, ... are the indices of the wanted tensor, with ′ that of the next layer; all else is of the "
    "layer before, r = n/n_before the ratio of its width to the one before.",
    "Black dots: two indices meet in one neuron and bring the function beside the dot, σσ′ and so on, or "
    "ω_ab = λ_W σ_a σ_b + C_W Θ_ab σ'_a σ'_b; u and v are the first and second derivative of ω by its first sample.",
    "White: the mean ⟨ ⟩ over one neuron, Gaussian with covariance K; a subscript c, or a semicolon, is the joint "
    "cumulant.",
    "Grey: a tensor of the layer before. Solid lines are preactivations, each a derivative ∂ on the mean where it "
    "ends; dotted lines the legs of a tangent kernel, dashed ones those that go on. Repeated Greek indices are "
    "summed over the inputs.",
)
CITATIONS = (
    ("D. A. Roberts, S. Yaida, B. Hanin: The principles of deep learning theory (2022)", "arXiv:2106.10165"),
    ("M. Guillen, P. Misof, J. E. Gerken: Finite-width neural tangent kernels (2025)", "arXiv:2508.11522"),
    (
        "I. Banta, T. Cai, N. Craig, Z. Zhang: Structures of neural network effective theories (2023)",
        "arXiv:2305.02334",
    ),
)


def render(result: Any) -> str:
    """The page as text."""
    from markupsafe import Markup

    figures = (
        (
            "fluctuations-against-layer",
            plots.fluctuations_against_layer(result.found),
            "Relative standard deviation between random networks of the kernel of an input with itself, the largest "
            "over the inputs, at the widths of this network.",
        ),
        (
            "means-against-width",
            plots.means_against_width(result.found[-1]),
            "Mean over networks of the output's kernels against width (all hidden layers scaled alike), for inputs "
            "with themselves. Bands: one standard deviation between networks. Dotted: the limit of infinite width. "
            "Dashed: the width of this network. Curves begin there, or where the deviation "
            "is half the kernel if that is less.",
        ),
    )
    return template("corrections.html.j2").render(
        net=repr(result.net),
        inputs=result.inputs,
        verdict=verdict(result.report),
        needed=needed(result.report),
        layer_heads=[Markup(formula(head)) for head in LAYER_HEADS],
        layers=[layer_cells(row) for row in result.layers],
        activation_heads=[Markup(formula(head)) for head in ACTIVATION_HEADS],
        activations=[activation_cells(row) for row in result.activations],
        figures=[(name, Markup(plots.to_inline(figure, name, says)), says) for name, figure, says in figures],
        legend=[Markup(formula(line)) for line in LEGEND],
        diagrams=[(Markup(formula(left(name))), drawn(name)) for name in result.tensors],
        citations=CITATIONS,
        version=__version__,
    )


def drawn(name: str) -> list[tuple[Any, Any]]:
    """Figure and formula of each diagram of a tensor."""
    from markupsafe import Markup

    constant = recursion(name).constant  # of biases
    begin = f"{GREEK.get(constant, constant)} + " if constant else ""
    lines = [(d.draw(), f"{'+ ' if i else begin}{d}") for i, d in enumerate(diagrams(name))]
    return [(Markup(figure), Markup(formula(line))) for figure, line in lines]


def left(name: str) -> str:
    """The wanted tensor with its indices."""
    return f"{text_name(name)}'_{''.join(map(str, range(tensor(name).slots)))} ="


def formula(text: str) -> str:
    """Escaped, with signs after _ below the line and ^(..) above it.

    >>> formula("C_W² ⟨u_01 σ'_2⟩")
    'C<sub>W</sub>² ⟨u<sub>01</sub> σ′<sub>2</sub>⟩'
    """
    text = html.escape(text.replace("'", "′"))
    text = re.sub(r"_([0-9A-Za-zα-ω∥⊥]+)", r"<sub>\1</sub>", text)
    return re.sub(r"\^\(([\d,]+)\)", r"<sup>(\1)</sup>", text)
