"""Diagrams: their number, that they add up to the recursion, and that they can be read."""

import importlib.util
import itertools
import math
import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from by_hand import LAMBDA, C, Expression, d, mean, old, r, s, theta, total

from equitangents.corrections import FOUR_LEGS, diagrams, merged, recursion, tensor
from equitangents.corrections.generate import combined
from equitangents.corrections.picture import RADIUS, picture

COUNTS = {"V": 2, "D": 3, "F": 2, "A": 5, "B": 2, "P": 3, "Q": 3, "R": 4, "S": 3, "T": 5, "U": 2, "G1": 2, "H1": 5}
SIX_LEGS = ["V6", "02,13|01,23,45", "02,14,35|01,23,45"]
ONE = Expression({(0, 0, 0, (), (), (), ()): Fraction(1)})


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_diagrams(name):
    assert len(diagrams(name)) == COUNTS[name]


@pytest.mark.parametrize("name", [*COUNTS, *SIX_LEGS])
def test_diagrams_share_out_the_terms(name):
    """They add up to the recursion; at order 1/width no term is in two of them."""
    shared = [term for diagram in diagrams(name) for term in diagram.terms]
    assert combined(shared) == recursion(name).terms
    if name in COUNTS:
        assert len(shared) == len(recursion(name).terms)


def decorated(cubic):
    (a, b), (i, j) = cubic.slots, cubic.orders
    if not cubic.omega:
        return C * s(a, i) * s(b, j)
    return LAMBDA * s(a, i) * s(b, j) + C * theta(a, b) * s(a, i + 1) * s(b, j + 1)


def covariance(fs, slots):
    """Derivatives of <f ; g> = <f g> - <f> <g>, each pair of them on one mean."""
    if len(fs) == 1:
        return mean(d(fs[0], *slots))
    f, g = fs
    if not slots:
        return mean(f * g) - mean(f) * mean(g)
    return mean(d(f * g, *slots)) - mean(d(f, *slots)) * mean(g) - mean(f) * mean(d(g, *slots))


@pytest.mark.parametrize("name", COUNTS)
def test_rules_of_the_diagrams_give_their_terms(name):
    """Read a diagram off by the rules: decorations, a derivative per undecorated line, tensors, Thetas, its factor."""
    for diagram in diagrams(name):
        opened = [(k, i) for k, c in enumerate(diagram.cumulants) for i, leg in enumerate(c.legs) if leg.slot is None]

        def summand(*slots, diagram=diagram, opened=opened):
            hit = dict(zip(opened, slots, strict=True))
            product = ONE
            for b, groups in enumerate(diagram.blobs):
                legs = [(k, i) for k, i in opened if diagram.cumulants[k].legs[i].blob == b]
                fs = [math.prod((decorated(diagram.cubics[c]) for c in group), start=ONE) for group in groups]
                product = product * covariance(fs, [hit[leg] for leg in legs])
                if not product:
                    return product
            for k, (old_name, legs) in enumerate(diagram.cumulants):
                indices = [hit.get((k, i), leg.slot) for i, leg in enumerate(legs)]
                product = product * old(old_name, *indices) * r
            for pair in diagram.thetas:
                product = product * theta(*pair)
            return diagram.factor * product

        ours = recursion(name)._replace(terms=diagram.terms)
        read = ours._replace(terms=combined(total(summand, len(opened)).terms()))
        assert merged(ours).terms == merged(read).terms


def box(label):
    wide, high = 0.5 * label.size * len(re.sub(r"[_^()']", "", label.text)), 0.7 * label.size
    left = label.at[0] - {-1: wide, 0: wide / 2, 1: 0}[label.side]
    return left, label.at[1] - high / 2, left + wide, label.at[1] + high / 2


def points(stroke, steps=24):
    for i in range(steps + 1):
        t = i / steps
        weights = [1 - t, t] if len(stroke.points) == 2 else [(1 - t) ** 2, 2 * t * (1 - t), t**2]
        yield tuple(sum(w * p[k] for w, p in zip(weights, stroke.points, strict=True)) for k in (0, 1))


@pytest.mark.parametrize("name", [*COUNTS, "K", "Theta", *SIX_LEGS])
def test_nothing_in_a_figure_lies_on_a_label(name):
    for drawn in map(picture, diagrams(name)):
        boxes = [box(label) for label in drawn.labels]
        for a, b in itertools.combinations(boxes, 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        for left, top, right, bottom in boxes:
            assert left >= 0 and top >= 0 and right <= drawn.size[0] and bottom <= drawn.size[1]
            assert not any(left < x < right and top < y < bottom for line in drawn.strokes for x, y in points(line))
            for spot in drawn.spots:
                nearest = (min(max(spot.at[0], left), right), min(max(spot.at[1], top), bottom))
                assert math.dist(spot.at, nearest) >= RADIUS[spot.kind]
        for a, b in itertools.combinations(drawn.spots, 2):
            assert math.dist(a.at, b.at) > RADIUS[a.kind] + RADIUS[b.kind]


@pytest.mark.parametrize("name", FOUR_LEGS)
def test_every_leg_of_an_ntk_has_its_colour(name):
    forest = tensor(name).forest
    for drawn in map(picture, diagrams(name)):
        for number in range(len(forest.edges)):
            ends = [stroke for stroke in drawn.strokes if stroke.colour == number and len(stroke.points) == 2]
            assert sum(stroke.style == "dotted" for stroke in ends) == 2


def test_figures_are_well_formed():
    for diagram in (*diagrams("S"), *diagrams("V6")):
        drawn = picture(diagram)
        root = ElementTree.fromstring(diagram.draw())
        assert len([e for e in root if e.tag.endswith("path")]) == len(drawn.strokes)
        assert diagram._repr_svg_() == diagram.draw()
        code = diagram.tikz()
        assert code.count(r"\draw") == len(drawn.strokes) and code.count("{") == code.count("}")
        assert code.isascii()


def test_formulas():
    first, second = diagrams("F")
    assert str(first) == "C_W² Θ_13 ⟨σ_0 σ'_1 σ_2 σ'_3⟩"
    assert str(second) == "r C_W² F_ρ1κ3 ⟨∂_ρ(σ_0 σ'_1)⟩ ⟨∂_κ(σ_2 σ'_3)⟩"
    assert second.latex() == (
        r"r C_W^2 F_{\rho 1\kappa 3} \langle \partial_{\rho}(\sigma_{0} \sigma'_{1}) \rangle"
        r" \langle \partial_{\kappa}(\sigma_{2} \sigma'_{3}) \rangle"
    )


def test_page_of_all_diagrams_shows_each():
    pytest.importorskip("latex2mathml")
    path = Path(__file__).parents[2] / "docs" / "diagrams.py"
    spec = importlib.util.spec_from_file_location("gallery", path)
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    assert gallery.page().count("<svg") == sum(COUNTS.values()) + len(diagrams("V6"))
    assert gallery.on_page_markdown("a\n{diagrams: B F}\nb").count("<svg") == 4
