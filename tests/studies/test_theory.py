"""The frame of studies of theorems: they resume, refuse foreign folders, and end in a page."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from equitangents.studies.piece import Piece
from equitangents.studies.theory import (
    Drawing,
    Page,
    Section,
    Table,
    TheoryStudy,
    find,
    read_theory_config,
    run_theory,
)
from equitangents.studies.theory.catalogue import MODULES
from equitangents.studies.theory.run import theory_toml


@dataclass(frozen=True)
class Sum:
    preset: str = "quick"
    terms: int = 3
    scale: float = 1.0


def study_that_counts(calls):
    def pieces(config):
        def term(i):
            def work(get):
                calls.append(i)
                before = get(f"term-{i - 1}")["total"] if i else 0.0
                return {"total": np.asarray(before + config.scale * i)}

            needs = (f"term-{i - 1}",) if i else ()
            return Piece(f"term-{i}", "term", (config.scale, i), work, needs=needs)

        return [term(i) for i in range(config.terms)]

    def page(config, get):
        total = float(get(f"term-{config.terms - 1}")["total"])
        drawing = Drawing("empty", figure(), "A < B.")
        table = Table("Sum", ("terms", "a|b"), ((str(config.terms), str(total)),))
        return Page(f"The sum is {total}.", (Section("Sum", ("Text & more.",), (drawing,), (table,)),))

    def check(config):
        if config.terms < 1:
            raise ValueError(f"terms: expected at least 1, got {config.terms}; choose more.")

    presets = {"quick": Sum(), "full": Sum("full", 5)}
    return TheoryStudy("sum", "A sum", "It adds.", presets, check, pieces, page, (("A book", "https://example.org"),))


def figure():
    from matplotlib.figure import Figure

    return Figure(figsize=(2, 1))


def test_a_study_continues_where_it_stopped(tmp_path):
    calls = []
    study = study_that_counts(calls)
    run_theory(study, Sum(), tmp_path)
    (tmp_path / "pieces" / "term-2.npz").write_bytes(b"cut")
    run_theory(study, Sum(), tmp_path)
    assert calls == [0, 1, 2, 2]
    assert "The sum is 3.0." in (tmp_path / "report.html").read_text()


def test_a_piece_is_done_again_when_what_it_needs_changes(tmp_path):
    calls = []
    study = study_that_counts(calls)
    run_theory(study, Sum(), tmp_path)
    (tmp_path / "config.toml").unlink()
    run_theory(study, Sum(scale=2.0), tmp_path)
    assert calls == [0, 1, 2, 0, 1, 2]


def test_pages_hold_text_table_and_figure(tmp_path):
    run_theory(study_that_counts([]), Sum(), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| 3 | 3.0 |" in text and "a\\|b" in text and "![A < B.](figures/empty.svg)" in text
    assert "equitangents study sum --preset quick --out RUN" in text
    page = (tmp_path / "report.html").read_text()
    assert "Text &amp; more." in page and "<svg" in page and (tmp_path / "figures" / "empty.svg").exists()


def test_a_folder_of_another_configuration_is_refused(tmp_path):
    study = study_that_counts([])
    run_theory(study, Sum(), tmp_path)
    with pytest.raises(ValueError, match="expected the folder of the same study"):
        run_theory(study, Sum(terms=4), tmp_path)


def test_configurations_are_written_and_read(tmp_path):
    study, config = study_that_counts([]), Sum("full", 7, 0.5)
    path = tmp_path / "config.toml"
    path.write_text(theory_toml(study, config))
    assert read_theory_config(study, path) == config
    path.write_text("terms = 7\n")
    assert read_theory_config(study, path) == replace(Sum(), terms=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('study = "other"', "expected the configuration of 'sum', got that of 'other'"),
        ("term = 3", "expected one of preset, terms, scale, got 'term'"),
        ('terms = "many"', "expected an integer"),
        ("terms = ", "expected a readable TOML file"),
    ],
)
def test_bad_configurations_are_named(tmp_path, text, message):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_theory_config(study_that_counts([]), path)


def test_a_configuration_that_makes_no_sense_stops_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="terms: expected at least 1"):
        run_theory(study_that_counts([]), Sum(terms=0), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MODULES)
def test_each_study_has_two_presets_that_pass_its_own_check(name):
    study = find(name)
    assert study.name == name
    for preset in ("quick", "full"):
        config = study.presets[preset]
        assert config.preset == preset
        study.check(config)
        names = [piece.name for piece in study.pieces(config)]
        assert len(set(names)) == len(names)
    assert set(study.minutes) <= {"quick", "full"} and all(minutes > 0 for minutes in study.minutes.values())


def test_an_unknown_study_is_refused():
    with pytest.raises(ValueError, match=r"study: expected one of .*, got 'chren'; did you mean 'chern'\?"):
        find("chren")


def test_the_command_knows_all_studies():
    from equitangents.cli.study import THEORY

    assert tuple(MODULES) == THEORY
