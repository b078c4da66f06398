"""Diagrams of the 1/width corrections beside what they stand for: as a page of its own, and inside chapters.

python docs/diagrams.py diagrams.html [NAME ...]

As a hook of mkdocs it replaces lines such as `{diagrams: F B}`.
"""

import re
import sys
from pathlib import Path

from latex2mathml.converter import convert

from equitangents.corrections import Diagram, Tensor, diagrams, latex, recursion, tensor
from equitangents.corrections.show import latex_name, latex_new

ALL = ("G1", "H1", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U", "V6")
LINE = re.compile(r"^\{diagrams: ([^}]+)\}$", re.MULTILINE)
LEGEND = (
    r"Slots 0, 1, 2, ... are the indices of the wanted tensor of layer $\ell+1$; all else is of layer $\ell$, with "
    r"$r = n_\ell / n_{\ell-1}$.",
    "Solid: $z$. Dotted: the legs of an NTK, one colour for each; a factor differentiated twice or three times has a "
    "double or triple line. Dashed: legs that go on from a cubic vertex to a blob; two of one colour that meet there "
    r"give a factor $\Theta$.",
    r"Dots: cubic vertices, with the function of one neuron that they bring. "
    r"$\omega_{ab} = \lambda_W \sigma_a \sigma_b + C_W \Theta_{ab} \sigma'_a \sigma'_b$, $u_{ab}$ and $v_{ab}$ its "
    r"first and second derivative by $z_a$, $\omega^{(1,1)}_{ab}$ that by both (derivatives act on $\sigma$ only).",
    r"White: the Gaussian mean over one neuron, with a derivative $\partial_\rho$ for each solid line from a grey "
    r"vertex; a subscript c: the joint cumulant $\langle f ; g \rangle = \langle f g \rangle - \langle f \rangle "
    r"\langle g \rangle$.",
    "Grey: a tensor of the older layer. Repeated dummy indices are summed over the samples.",
)
STYLE = """
body { font-family: Georgia, "Times New Roman", serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.2rem 0 0.3rem; border-bottom: 1px solid #ccc; font-size: 1.15rem; font-weight: normal; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
table { border-collapse: collapse; } td { padding: 0.3rem 1.2rem 0.3rem 0; vertical-align: middle; }
td + td { font-size: 1.1rem; } tr + tr td { border-top: 1px solid #eee; } details { margin: 0.4rem 0; }
"""


def table(name: str) -> str:
    """The diagrams of one tensor, a row for each: figure and formula, below it where it is long. No blank lines."""
    between = "</td><td>" if tensor(name).slots <= 4 else "<br>"
    rows = [f"<tr><td>{d.draw()}{between}{_line(d, i)}</td></tr>" for i, d in enumerate(diagrams(name))]
    return "\n".join(['<table class="diagrams">', *rows, "</table>"])


def _line(diagram: Diagram, i: int) -> str:
    left = latex_new(diagram.name, tensor(diagram.name).slots)
    return _math(f"{left} = {diagram.latex()}") if i == 0 else f"+ {_math(diagram.latex())}"


def definition(wanted: Tensor) -> str:
    """What a tensor is the leading part of, in LaTeX."""
    names = {1: "z", 2: r"\widehat{\Theta}", 3: r"\widehat{d\Theta}"}
    factors = []
    for tree in wanted.forest.trees():
        edges = [edge for edge in wanted.forest.edges if edge[0] in tree]
        star = any(all(v in edge for edge in edges) for v in tree)
        name = names.get(len(tree)) or (r"\widehat{dd_{I}\Theta}" if star else r"\widehat{dd_{II}\Theta}")
        ends = [sum(v in edge for edge in edges) for v in tree]
        order = sorted(tree, key=lambda v: (-ends[tree.index(v)], v))
        if len(tree) == 4 and not star:  # the path 3 - 1 - 2 - 4 in the order 1, 2, 3, 4
            order[2:] = sorted(order[2:], key=lambda v: tuple(sorted((v, order[0]))) not in edges)
        factors.append(f"{name}_{{{''.join(map(str, order))}}}")
    deltas = " ".join(rf"\delta_{{{a}{b}}}" for a, b in wanted.pairing)
    power = {1: "", 2: "^2"}[wanted.order]
    slots = "".join(map(str, range(wanted.slots)))
    mean = "E" if len(factors) == 1 or wanted.slots == 2 else "E^c"
    return rf"{mean}[{' '.join(factors)}] \ni {deltas} {latex_name(wanted.name)}_{{{slots}}} / n_{{\ell-1}}{power}"


def page(names: tuple[str, ...] = ALL) -> str:
    """One self-contained page."""
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>Diagrams of the 1/width corrections</title>"]
    parts += [f"<style>{STYLE}</style><h1>Diagrams of the 1/width corrections</h1><ul>"]
    parts += [f"<li>{re.sub(r'[$]([^$]+)[$]', lambda match: convert(match[1]), line)}</li>" for line in LEGEND]
    parts.append("</ul>")
    for name in names:
        found = recursion(name)
        parts += [f"<h2>{_math(definition(tensor(name)))}</h2>", table(name)]
        if len(found.terms) < 100:
            parts.append(f"<details><summary>without dummy indices: {len(found.terms)} terms</summary>")
            parts.append(f"{_math(latex(found))}</details>")
    return "\n".join([*parts, "</html>"])


def on_page_markdown(markdown: str, **_) -> str:
    """A table for each name in a line {diagrams: NAME ...}."""
    return LINE.sub(lambda match: "\n\n".join(table(name) for name in match[1].split()), markdown)


def _math(source: str) -> str:
    return convert(source, display="inline")


if __name__ == "__main__":
    path, *chosen = sys.argv[1:]
    Path(path).write_text(page(tuple(chosen) or ALL), encoding="utf-8")
