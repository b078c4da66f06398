"""Each tutorial runs as its reader would run it, and its own asserts hold."""

import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[1] / "tutorials").glob("[0-9]_*.py"))


def test_there_are_tutorials():
    assert [path.name[0] for path in TUTORIALS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_answers_its_question(path):
    done = subprocess.run([sys.executable, "-W", "error", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_is_short_and_checks_its_answer(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert text.startswith('"""') and "?" in text.splitlines()[0]
    assert "assert" in text
