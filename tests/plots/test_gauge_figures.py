"""Figures of networks that learn Chern numbers: what is drawn are the values given, and the same each time."""

import numpy as np

from equitangents import plots
from equitangents.plots.gauge import Accuracies, ChernMap, Fluxes, Losses, Transfer

X = np.linspace(-1, 1, 6)


def chern_map():
    exact = np.sign(np.outer(X, X))
    return ChernMap("a title", X, X, exact, 0.9 * exact, X, np.abs(X))


def test_phase_diagrams_share_their_colours():
    figure = plots.chern_map(chern_map())
    left, right, _ = figure.axes
    meshes = [panel.collections[0] for panel in (left, right)]
    np.testing.assert_allclose(meshes[1].get_array(), 0.9 * meshes[0].get_array())
    assert meshes[0].get_clim() == meshes[1].get_clim() and len(left.lines) == 2
    np.testing.assert_allclose(left.lines[1].get_ydata(), -np.abs(X))


def test_fluxes_are_one_lattice_and_all_points():
    exact = np.arange(24.0).reshape(2, 3, 4) / 48
    figure = plots.fluxes_found(Fluxes("a title", exact, 2 * exact))
    flux, output, points = figure.axes
    np.testing.assert_allclose(flux.images[0].get_array(), exact[0].T)
    assert output.get_title(loc="left") == f"output, sum {2 * exact[0].sum():+.2f}"
    np.testing.assert_allclose(points.lines[1].get_ydata(), 2 * points.lines[1].get_xdata())


def test_accuracies_are_points_with_intervals_beside_the_prediction():
    sides = np.array([5, 7, 9])
    values = np.array([0.9, 0.8, 0.7])
    one = Accuracies("random links", sides, values, values - 0.1, values + 0.05)
    network = ("one band", [one, one._replace(label="qwz")], sides, values)
    figure = plots.accuracy_against_grid(Transfer("a title", [network, network]))
    left, _ = figure.axes
    np.testing.assert_allclose(left.containers[0].lines[0].get_ydata(), 100 * values)
    bar = left.containers[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(bar[:, 1], [80, 95])
    assert {text.get_text() for text in figure.legends[0].get_texts()} >= {"random links", "qwz"}
    again = plots.accuracy_against_grid(Transfer("a title", [network, network]))
    assert plots.to_svg(figure) == plots.to_svg(again)


def test_losses_are_means_over_fiftieths():
    losses = np.arange(1.0, 101.0)
    figure = plots.chern_losses(Losses("a title", [("one", losses), ("short", losses[:3])]))
    one, short = figure.axes[0].lines
    np.testing.assert_allclose(one.get_ydata(), losses.reshape(50, 2).mean(1))
    np.testing.assert_allclose(short.get_ydata(), losses[:3])
