"""The page: one file, nothing from elsewhere, the advice first, hostile names harmless."""

import html.parser
import os
import re

import pytest

import synthetic
from equitangents.studies import report
from equitangents.studies.advice import advise
from equitangents.studies.report import FIGURES, write_report

HOSTILE = ("<script>alert(1)</script>", "{{ 7*7 }}", '"><img src=x onerror=1>', "</svg><script>", "$\\frac{", "6")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    result = synthetic.study()
    return result, folder, write_report(result, folder).read_text(encoding="utf-8")


def test_the_advice_comes_first(written):
    result, _, text = written
    sentence = advise(result).sentence
    assert sentence in text
    order = [sentence, "Does your data have this symmetry?", "Accuracy against cost", "The arms", "How it was measured",
             "What it does not show", "How to reproduce it", "arXiv:2403.03103"]  # fmt: skip
    positions = [text.index(part) for part in order]
    assert positions == sorted(positions)


def test_the_page_loads_nothing_from_elsewhere(written):
    page = Page(written[2])
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    outside = [value for name, value in page.attributes if name in ("src", "href", "xlink:href") and value[:1] != "#"]
    assert all(value.startswith("data:image/png;base64,") for value in outside)
    assert "url(http" not in written[2] and "@import" not in written[2]


def test_hostile_class_names_are_text_on_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FIGURES", FIGURES[2:5])  # those that name classes
    result = synthetic.study(
        classes=HOSTILE, lost=dict.fromkeys(HOSTILE[:4], 0.3), confused=(("r2", HOSTILE[0], HOSTILE[2]),)
    )
    page = Page(write_report(result, tmp_path).read_text(encoding="utf-8"))
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    joined = " ".join(page.text)
    assert "<script>alert(1)</script>" in joined and "{{ 7*7 }}" in joined and " 49 " not in joined


def test_every_figure_is_on_the_page_and_in_the_folder(written):
    _, folder, text = written
    for name, _, _ in FIGURES:
        assert f'id="figure-{name}"' in text
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 1000
        assert (folder / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_the_page_is_the_same_each_time(written, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FIGURES", FIGURES[2:4])
    first, second = (write_report(written[0], tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def test_the_table_holds_the_errors_with_their_intervals(written):
    row = re.search(r"<tr class=\"chosen\">.*?</tr>", written[2], re.DOTALL).group(0)
    assert "equivariant" in row and "6.0 %" in row and "[5.0, 7.0]" in row


def test_a_full_disk_leaves_the_old_page(written, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FIGURES", FIGURES[2:3])
    page = write_report(written[0], tmp_path)
    before = page.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="the disk is full: free some space"):
        write_report(written[0], tmp_path)
    assert page.read_bytes() == before
    assert not list(tmp_path.rglob(".part-*"))
