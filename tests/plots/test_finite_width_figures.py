"""Figures of finite-width results: drawn from values alone, the same each time, with what they show in them."""

import numpy as np
import pytest

from equitangents import plots
from equitangents.corrections import phase_diagram
from equitangents.nets import Relu, Tanh
from equitangents.plots.finite_width import Curve, Panel, Sheet


def sheet():
    n = np.array([10.0, 20.0, 40.0])
    curve = Curve("sampled", n, 1 + 1 / n, 0.01 / n, n, 1 + 1 / n, 1.0)
    other = curve._replace(label="another")
    return Sheet("a title", "width", [Panel("one", "mean", [curve]), Panel("two", "mean", [curve, other], True)], 2)


def test_means_are_drawn_with_predictions_and_limits():
    figure = plots.means_against(sheet())
    one, two = figure.axes
    line, points, limit = one.lines[0], one.lines[1], one.lines[-1]
    np.testing.assert_allclose(line.get_ydata(), points.get_ydata())
    assert set(limit.get_ydata()) == {1.0} and one.get_xscale() == "log" and two.get_yscale() == "log"
    assert plots.to_svg(figure) == plots.to_svg(plots.means_against(sheet()))


@pytest.mark.parametrize(("phi", "white"), [(Tanh(), False), (Relu(), True)], ids=["tanh", "relu"])
def test_phases_are_drawn_with_the_critical_point(phi, white):
    found = phase_diagram(phi, np.linspace(0.5, 2, 7), np.linspace(0, 1, 5))
    figure = plots.phases(found)
    (point,) = figure.axes[0].lines[-1].get_xydata()
    np.testing.assert_allclose(point, [found.critical.sigma_w, found.critical.sigma_b])
    assert ("none in white" in plots.to_svg(figure)) == white
