"""Figures of bands and of their Berry curvature: what is drawn are the values given."""

import numpy as np
import pytest

from equitangents import plots
from equitangents.gauge import (
    band_path,
    berry_curvature,
    chern_number,
    direct_gap,
    energies,
    haldane,
    hofstadter,
    links_from_bands,
    qwz,
    random_links,
)

CORNERS = {"Γ": (0, 0), "K": (2 * np.pi / 3, 4 * np.pi / 3), "M": (np.pi, np.pi)}


def test_bands_are_drawn_along_a_path_with_the_filled_ones_apart():
    path = band_path(hofstadter(1, 3), CORNERS, 1, points=10)
    assert np.allclose(path.bands[[0, 10, 20]], energies(hofstadter(1, 3), np.array([*CORNERS.values()])))
    assert np.allclose(path.distance[[0, 10, 20]], path.corners) and np.all(np.diff(path.distance) > 0)
    assert np.isclose(path.corners[1], np.hypot(*CORNERS["K"]))
    (panel,) = plots.band_structure(path).axes
    drawn = np.array([line.get_ydata() for line in panel.lines])
    assert np.array_equal(drawn, path.bands.T[[1, 2, 0]])
    colours = [line.get_color() for line in panel.lines]
    assert colours[0] == colours[1] != colours[2]
    assert [text.get_text() for text in panel.get_xticklabels()] == [*CORNERS]


def test_the_gap_in_the_title_is_that_of_the_corner():
    path = band_path(haldane(0.3, np.pi / 2), {"K": CORNERS["K"], "-K": (4 * np.pi / 3, 2 * np.pi / 3)}, 1)
    gap = direct_gap(haldane(0.3, np.pi / 2), (24, 24), 1)
    assert f"least direct gap on this path {gap:.3g}" in plots.to_svg(plots.band_structure(path))
    assert "gap" not in plots.to_svg(plots.band_structure(path._replace(filled=2)))


@pytest.mark.parametrize("shape", [(12, 9), (7, 8)])
def test_the_curvature_is_drawn_at_its_momenta_and_integrates_to_the_chern_number(shape):
    curvature = berry_curvature(links_from_bands(qwz(-0.8), shape, 1))
    assert np.isclose(curvature.density.sum() * (2 * np.pi) ** 2 / np.prod(shape), 2 * np.pi * curvature.chern)
    assert curvature.chern == -1
    figure = plots.berry_curvature(curvature)
    (mesh,) = figure.axes[0].collections
    drawn, corners = np.asarray(mesh.get_array()).reshape(shape[::-1]), mesh.get_coordinates()
    for j, i in np.ndindex(drawn.shape):
        x, y = (round(c / (2 * np.pi) * n) % n for c, n in zip(corners[j, i], shape, strict=True))
        assert drawn[j, i] == curvature.density[x, y]
    assert "C = -1 (trlog" in plots.to_svg(figure)
    assert mesh.norm.vmin == -mesh.norm.vmax
    figure.canvas.draw()
    panel, bar = (axes.get_position() for axes in (figure.axes[0], mesh.colorbar.ax))
    assert 0 < bar.x0 - panel.x1 < 0.1 * panel.width and np.allclose([bar.y0, bar.y1], [panel.y0, panel.y1])


def test_both_labels_can_be_drawn_and_what_does_not_fit_is_refused(getkey):
    links = random_links(getkey(), "U(2)", (4, 4))
    for method in ("trlog", "det"):
        assert berry_curvature(links, method).chern == chern_number(links, method)
    with pytest.raises(ValueError, match="one field in 2 dimensions"):
        berry_curvature(random_links(getkey(), "U(2)", (2, 2), (3,)))
    with pytest.raises(ValueError, match="two named momenta"):
        band_path(qwz(1.0), {"Γ": (0, 0)}, 1)
