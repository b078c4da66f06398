"""Figures of finite-width results: drawn from values alone, the same each time, with what they show in them."""

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import plots
from equitangents.corrections import expand, phase_diagram
from equitangents.nets import Dense, Identity, Relu, Serial, Tanh
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


def test_a_linear_network_deviates_by_the_root_of_its_depth_and_has_no_shift_of_means():
    found = expand(Serial(*[Dense(50), Identity()] * 2, Dense(1)), jnp.array([[1.0, 2.0], [0.5, -1.0]]))
    (nngp, ntk) = plots.fluctuations_against_layer(found).axes[0].lines
    np.testing.assert_allclose(nngp.get_ydata(), 100 * np.sqrt([0, 2 / 50, 4 / 50]), atol=1e-9)
    assert nngp.get_label() == "NNGP" and ntk.get_ydata()[1] > 0
    axis = plots.means_against_width(found[-1]).axes[0]
    for line, k in zip((line for line in axis.lines if "input" in str(line.get_label())), (2.5, 0.625), strict=True):
        np.testing.assert_allclose(line.get_ydata(), k)
    assert axis.get_xscale() == "log" and len(axis.collections) == 2  # a band for each input


@pytest.mark.parametrize(("phi", "white"), [(Tanh(), False), (Relu(), True)], ids=["tanh", "relu"])
def test_phases_are_drawn_with_the_critical_point(phi, white):
    found = phase_diagram(phi, np.linspace(0.5, 2, 7), np.linspace(0, 1, 5))
    figure = plots.phases(found)
    (point,) = figure.axes[0].lines[-1].get_xydata()
    np.testing.assert_allclose(point, [found.critical.sigma_w, found.critical.sigma_b])
    assert ("none in white" in plots.to_svg(figure)) == white
