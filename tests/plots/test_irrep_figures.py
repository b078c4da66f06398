"""Figures of training by representation: lines and points are the values given, and the same each time."""

import numpy as np

from equitangents import plots
from equitangents.plots.irreps import Arm, Decomposed, Spectra

NAMES = ["A", "B"]


def decomposed():
    t = np.array([1.0, 10.0, 100.0])
    loss = np.stack([np.exp(-t / 50), 0.5 * np.exp(-t / 20)], axis=1)
    share = loss / loss.sum(1, keepdims=True)
    one = Arm("augmented", t, loss, t, 1.1 * loss, 0.1 * loss, share, 0.1 * share)
    alone = np.array([1.0, 0.0])
    return Decomposed("a title", NAMES, [one, one._replace(title="equivariant", line=loss * alone, value=loss * alone)])


def test_losses_and_shares_are_drawn_with_predictions():
    figure = plots.loss_by_irrep(decomposed())
    upper, invariant, lower, _ = figure.axes
    lines = [line for line in upper.lines if line.get_marker() == "None"]
    for line, expected in zip(lines, decomposed().arms[0].line.T, strict=True):
        np.testing.assert_allclose(line.get_ydata(), expected)
    total = sum(line.get_ydata() for line in lower.lines if line.get_marker() == "None")
    np.testing.assert_allclose(total, 1)
    assert upper.get_xscale() == upper.get_yscale() == "log" and lower.get_yscale() == "linear"
    assert len(invariant.containers) == 1 and len(upper.containers) == 2  # what is zero is not drawn
    assert [text.get_text() for text in figure.legends[0].get_texts()] == NAMES
    assert plots.to_svg(figure) == plots.to_svg(plots.loss_by_irrep(decomposed()))


def test_spectra_are_drawn_beside_the_speeds_measured():
    values = [np.array([1.0, 0.1, 0.01]), np.array([0.5, 0.2])]
    ratio = [(np.array([1.0, 1.1]), np.array([0.1, 0.1])), (np.array([0.9, 1.0]), np.array([0.2, 0.1]))]
    result = Spectra("a title", NAMES, values, [("width 512", ratio), ("width 1024", ratio)])
    left, first, second = plots.spectrum_by_irrep(result).axes
    for line, expected in zip(left.lines, values, strict=True):
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert left.get_yscale() == "log" and first.get_title(loc="left") == "width 512"
    assert first.get_ylim() == second.get_ylim() and len(second.containers) == 2
