"""The files of the command `corrections` hold the tensors, and say what they mean."""

import html
import math
import re
import xml.etree.ElementTree as ElementTree

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import Dense, Serial
from equitangents.corrections import diagrams, finite_width_report
from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.nets import Flatten, Identity, Tanh
from equitangents.studies import corrections
from equitangents.studies.corrections_text import verdict

X = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.5]])
LINEAR = "Serial(Dense(80), Identity(), Dense(80), Identity(), Dense(1))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corrections")
    np.save(folder / "x.npy", X)
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return corrections.write_corrections(LINEAR, str(folder / "x.npy"), folder / "out")


def test_the_tensors_of_all_layers_are_kept(found, folder):
    """V of one input is 2 (l - 1) K^2 in a linear network, whose K never changes."""
    with np.load(folder / "out" / "tensors.npz", allow_pickle=False) as kept:
        k = kept["layer1/K"]
        np.testing.assert_allclose(k, X @ X.T / 3)
        for layer in (1, 2, 3):
            np.testing.assert_allclose(np.einsum("aaaa->a", kept[f"layer{layer}/V"]), 2 * (layer - 1) * np.diag(k) ** 2)
        assert kept["errors"].shape == (3, len(kept["names"])) and kept["errors"].max() < 1e-9
        assert kept["width"].tolist() == [3, 80, 80] and str(kept["net"]) == LINEAR
        np.testing.assert_array_equal(kept["x"], X)


def test_the_report_in_words_has_the_numbers_of_the_report(found, folder):
    text = (folder / "out" / "report.txt").read_text(encoding="utf-8")
    assert str(found.report) in text and "scale-invariant" in text
    said = verdict(found.report)
    assert "holds" in said and f"{math.sqrt(4 / 80):.0%}".replace("%", " %") in said  # V / (n K^2) = 4 / 80
    assert found.layers[2].kernel_deviation == pytest.approx(math.sqrt(4 / 80))


def test_every_diagram_is_a_figure_in_a_file_and_in_the_page(found, folder):
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    expected = [(name, i) for name in found.tensors for i in range(1, 1 + len(diagrams(name)))]
    files = sorted(path.name for path in (folder / "out" / "diagrams").iterdir())
    assert files == sorted(f"{name}-{i}.svg" for name, i in expected)
    for name, i in expected:
        text = (folder / "out" / "diagrams" / f"{name}-{i}.svg").read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg") and text.strip() in page


def test_the_page_is_whole_and_loads_nothing(found, folder):
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert page.endswith(("</html>\n", "</html>"))
    assert html.escape(verdict(found.report)) in page and html.escape(LINEAR) in page
    assert not re.search(r'(src|href)="(?!#)', page)
    styles = re.findall(r"<style[^>]*>([^<{]*)\{stroke-line", page)
    assert styles and all(style.startswith("#") for style in styles)  # a figure's style is for that figure alone


def test_files_are_not_written_over_unless_asked(found, folder):
    with pytest.raises(ValueError, match="choose another --out, or --force"):
        corrections.write_corrections(LINEAR, str(folder / "x.npy"), folder / "out")
    again = corrections.write_corrections(LINEAR, str(folder / "x.npy"), folder / "out", force=True, limit=1)
    assert again.x.shape == (1, 3) and "the first of 2" in again.inputs


def test_nothing_is_left_where_the_network_is_wrong(folder):
    with pytest.raises(ValueError, match="put Identity"):
        corrections.write_corrections("Serial(Dense(3), Dense(1))", str(folder / "x.npy"), folder / "wrong" / "inside")
    assert not (folder / "wrong").exists()


def test_a_folder_that_was_there_stays_where_the_network_is_wrong(folder):
    (folder / "mine").mkdir()
    with pytest.raises(ValueError, match="put Identity"):
        corrections.write_corrections("Serial(Dense(3), Dense(1))", str(folder / "x.npy"), folder / "mine")
    assert (folder / "mine").is_dir()


def test_a_file_of_many_inputs_asks_how_many(folder):
    np.save(folder / "many.npy", np.ones((5, 3)))
    with pytest.raises(ValueError, match="expected at most 4 inputs, got 5"):
        corrections.few_inputs(str(folder / "many.npy"), None)
    assert len(corrections.few_inputs(str(folder / "many.npy"), 5)[0]) == 5
    assert len(corrections.few_inputs("digits", None)[0]) == 4
    with pytest.raises(ValueError, match="expected 1 to 32 inputs"):
        corrections.few_inputs("digits", 33)


@pytest.mark.parametrize("phi", [Identity(), Tanh()], ids=["linear", "tanh"])
def test_an_image_of_one_pixel_gives_a_group_network_the_report_of_a_dense_one(phi):
    """All group elements see the same pixel: the functions on the group are constant."""
    x = jnp.asarray(X[:1, None, None, :])
    lifted = [Lift("C2", 30, "all", sigma_w=1.2), phi, GroupConv("C2", 20, 1, sigma_b=0.3), phi, GroupPool(), Dense(1)]
    dense = [Flatten(), Dense(30, sigma_w=1.2), phi, Dense(20, sigma_b=0.3), phi, Dense(1)]
    one, two = (finite_width_report(Serial(*layers), x) for layers in (lifted, dense))
    assert one.depth_to_width == pytest.approx(1 / 30 + 1 / 20)
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-12)


def test_a_group_network_in_a_text_is_read(folder):
    np.save(folder / "pixel.npy", X[:1, None, None, :])
    net = 'Serial(Lift("C2", 30, "all"), Identity(), GroupConv("C2", 20, 1), GroupPool())'
    found = corrections.write_corrections(net, str(folder / "pixel.npy"), folder / "group", tensors=["V"])
    with np.load(folder / "group" / "tensors.npz") as kept:
        assert kept["layer1/V"].shape == (2,) * 4 and kept["layer2/V"].shape == (1,) * 4
    assert found.report.depth_to_width == pytest.approx(1 / 30)
    last = found.found[-1]
    expected = last.kernel_deviation() / last.K
    assert found.layers[-1].kernel_deviation == pytest.approx(expected.item())


def test_an_input_of_zeros_has_no_relative_corrections():
    report = finite_width_report(Serial(Dense(10), Identity(), Dense(1)), jnp.zeros((1, 3)))
    assert (report.nngp_variance, report.ntk_shift) == (0, 0)


def test_names_of_files_have_no_signs_that_systems_forbid():
    assert corrections.file_name("01,23|02,13,45") == "01.23_02.13.45"
