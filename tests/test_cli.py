"""The command line: it teaches, runs, continues, predicts, and says what is wrong in one line."""

import collections
import csv
import io
import sys

import pytest

import small_study
from command import run
from equitangents import cli
from equitangents.cli.output import duration
from equitangents.cli.study import count_of
from equitangents.studies import Result
from equitangents.studies.advice import advise
from equitangents.studies.theory import MODULES, find


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    return small_study.folder(tmp_path_factory)


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_teaches_by_examples(capsys, arguments):
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.count("equitangents study") == 2 and "equitangents predict" in out and "report.html" in out


@pytest.mark.parametrize("command", ["study", "predict", "report", "kernel", "fit", "corrections"])
def test_every_command_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0 and f"Example: equitangents {command}" in out


def test_the_version_is_printed(capsys):
    assert run(capsys, "--version")[1].startswith("equitangents 0.")


def test_a_study_ends_with_the_advice_and_the_page(studied):
    out = (studied.parent / "stdout").read_text()
    assert advise(Result.load(studied)).sentence in " ".join(out.split())
    assert str(studied / "report.html") in out
    assert (studied / "report.html").is_file() and (studied / "model" / "meta.json").is_file()


def test_progress_without_a_terminal_is_plain_lines(studied):
    lines = (studied.parent / "stderr").read_text().splitlines()
    assert lines and all("\x1b" not in line for line in lines)
    assert lines[-1].split()[0] == "{0}/{0}".format(lines[-1].split("/")[0])


def test_a_study_given_again_says_that_it_continues(studied):
    done = small_study.command("study", "--config", studied.parent / "tiny.toml", "--out", studied)
    assert done.returncode == 0, done.stderr
    assert "Continuing the study" in done.stdout


def test_predictions_are_a_table_with_an_error_where_labels_are_known(studied, capsys, tmp_path):
    code, _, err = run(capsys, "predict", studied, "digits", "--out", tmp_path / "out.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert code == 0 and "error on the 1,797 inputs" in err
    assert rows[0][:3] == ["input", "label", "margin"] and len(rows) == 1798
    assert {row[1] for row in rows[1:]} <= set("0123456789")


def test_the_report_can_be_written_again(studied, capsys, monkeypatch):
    from equitangents.studies import report

    monkeypatch.setattr(report, "FIGURES", report.FIGURES[2:3])
    code, out, _ = run(capsys, "report", studied)
    assert code == 0 and "report.html" in out


def test_errors_are_one_line_and_a_traceback_only_where_asked(capsys, monkeypatch):
    code, _, err = run(capsys, "report", "nowhere")
    assert code == 2 and len(err.splitlines()) == 1 and "Traceback" not in err
    monkeypatch.setenv("EQUITANGENTS_DEBUG", "1")
    with pytest.raises(ValueError, match="expected a folder with a finished study"):
        cli.main(["report", "nowhere"])


def test_stopping_by_hand_says_how_to_continue(capsys, monkeypatch, tmp_path, studied):
    running = sys.modules["equitangents.studies.run"]  # the package has a function of that name

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", stopped)
    code, _, err = run(capsys, "study", "--config", studied.parent / "tiny.toml", "--out", tmp_path / "new")
    assert code == 130 and "give the same command again to continue" in err


def test_a_dry_run_writes_nothing(capsys, monkeypatch, tmp_path, studied):
    from equitangents.studies.run import Plan

    monkeypatch.setattr(Plan, "seconds", lambda plan: {piece.name: 1.0 for piece in plan.pieces})
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "study", "--config", studied.parent / "tiny.toml", "--dry-run")
    assert code == 0 and "Nothing was written" in out and "train tiny" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", MODULES)
def test_a_dry_run_of_a_theorem_has_a_row_for_each_kind_of_work(capsys, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    study = find(name)
    for preset, settings in study.presets.items():
        code, out, _ = run(capsys, "study", name, "--preset", preset, "--dry-run")
        head, *rows, last = out.splitlines()
        kinds = collections.Counter(piece.kind for piece in study.pieces(settings))
        assert code == 0 and head.split() == ["work", "pieces"]
        assert [row.rsplit(maxsplit=1) for row in rows] == [[kind, str(count)] for kind, count in kinds.items()]
        assert last.startswith(f"{kinds.total()} pieces of work; ") and "Nothing was written" in last
        minutes = study.minutes.get(preset)
        assert ("estimated as they run" if minutes is None else f"about {duration(60 * minutes)} of proc") in last
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_another_configuration_knows_no_time(capsys, tmp_path):
    (tmp_path / "loops.toml").write_text("steps = 3\n")
    code, out, _ = run(capsys, "study", "wilson-loops", "--config", tmp_path / "loops.toml", "--dry-run")
    assert code == 0 and "estimated as they run" in out and "processor time" not in out


@pytest.mark.parametrize(("count", "words"), [(1, "1 piece of work"), (2, "2 pieces of work")], ids=["one", "two"])
def test_one_piece_is_not_said_as_many(count, words):
    assert count_of([None] * count) == words


MISSPELT = {
    "a study": (["chren"], "did you mean 'chern'?"),
    "a part of the name of a study": (["emergent"], "did you mean 'emergent-equivariance'?"),
    "data": (["Digist"], "did you mean 'digits'?"),
    "a folder": (["phots"], "did you mean 'photos'?"),
    "nothing like it": (["qqqq"], "check the spelling"),
    "a preset": (["digits", "--preset", "quik"], "expected one of quick, full, got 'quik'; did you mean 'quick'?"),
    "a preset of a study": (
        ["chern", "--preset", "ful"],
        "expected one of quick, full, got 'ful'; did you mean 'full'?",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), MISSPELT.values(), ids=MISSPELT)
def test_misspelt_names_are_answered_by_the_nearest(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    code, _, err = run(capsys, "study", *arguments)
    assert code == 2 and len(err.splitlines()) == 1 and words in err
    assert "--preset" in arguments or all(name in err for name in (*MODULES, "digits", "fashion-mnist"))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_another_study_is_not_written_over(capsys, studied):
    code, _, err = run(capsys, "study", "--config", studied.parent / "tiny.toml", "--group", "C2", "--out", studied)
    assert code == 2 and "choose another --out" in err


LINEAR = "Serial(Dense(40), Identity(), Dense(1))"


def test_corrections_print_the_report_and_where_the_files_are(capsys, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,2\n")
    options = ["--net", LINEAR, "--inputs", tmp_path / "x.csv", "--out", tmp_path / "out", "--tensors", "V F"]
    code, out, err = run(capsys, "corrections", *options)
    assert code == 0, err
    assert "width 40, depth to width 0.025: the expansion in 1/width holds" in out
    assert "for an accuracy of 0.05: width 1 for means, 800 for each network" in out  # V / K^2 = 2, A + 2B = 2 K^2
    assert str(tmp_path / "out" / "report.html") in out and (tmp_path / "out" / "report.html").is_file()
    assert not list((tmp_path / "out").glob(".part-*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--net", "Serial(Dens(3))"], "did you mean Dense"),
        (["--net", "Serial(Dense(3), Dense(1))"], "put Identity() between"),
        (["--net", "Serial(Dense(3), Relu(), MaxPool((2, 2)))"], "expected a layer, got 'MaxPool'"),
        (["--net", "Serial(" + "Relu(), " * 300 + "Dense(1))"], "expected"),
        (["--inputs", "nowhere.npy"], "does not exist"),
        (["--tensors", "W"], "expected one of K, Theta"),
        (["--accuracy", "0"], "positive relative accuracy"),
        (["--limit", "40"], "expected 1 to 32 inputs"),
    ],
    ids=["name", "order", "layer", "long", "file", "tensor", "accuracy", "limit"],
)
def test_corrections_say_what_is_wrong_in_one_line(capsys, tmp_path, options, words):
    (tmp_path / "x.csv").write_text("1,2,2\n")
    defaults = ["--net", LINEAR, "--inputs", tmp_path / "x.csv", "--out", tmp_path / "out"]
    code, _, err = run(capsys, "corrections", *defaults, *options)
    assert code == 2 and len(err.splitlines()) == 1 and words in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.2, "4 s"), (200, "3 min"), (8000, "2.2 h")], ids=["seconds", "minutes", "hours"]
)
def test_durations_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words
