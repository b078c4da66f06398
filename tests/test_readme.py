"""The README's code runs as it is pasted, and prints the numbers that stand beside it; the chapters' code runs."""

import operator
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import equitangents
from equitangents import dynamics, estimators, kernels, nets, scale
from equitangents.dynamics import GradientFlow
from equitangents.studies.config import AuditRun, Config, EnsembleRun, KernelRun, read_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


BLOCKS = python_blocks(README)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def stated(block):
    """What it prints, as its lines of comment say."""
    return [line.removeprefix("# ") for line in block.splitlines() if line.startswith("# ")]


def assert_same_print(printed, expected):
    """Equal words, and numbers equal to one unit of the last digit that is stated."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    for got, said in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        digits = len(said.partition(".")[2])
        assert abs(float(got) - float(said)) < 1.01 * 10**-digits, f"the README says {said}, the code prints {got}"


def test_there_is_an_example_of_at_most_fifteen_lines_that_states_what_it_prints():
    code = [line for line in BLOCKS[0].splitlines() if line and not line.startswith("# ")]
    assert len(code) <= 15
    assert stated(BLOCKS[0])


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code_prints_what_the_readme_says(block):
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(stated(block))
    for got, said in zip(printed, stated(block), strict=True):
        assert_same_print(got, said)


def test_the_settings_in_the_chapter_on_studies_are_the_defaults(tmp_path):
    (text,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs" / "study.md").read_text("utf-8"), re.M | re.S)
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    expected = Config(audit=AuditRun(), kernels=(KernelRun(),), ensembles=(EnsembleRun(),))
    assert read_config(tmp_path / "config.toml") == expected


def test_code_of_the_chapters_runs(tmp_path):
    chapters = {path.name: python_blocks(path.read_text(encoding="utf-8")) for path in (ROOT / "docs").glob("*.md")}
    programs = {name: "\n".join(blocks) for name, blocks in sorted(chapters.items()) if blocks}
    assert len(programs) >= 5
    run_all = f"for name, code in {programs!r}.items(): exec(compile(code, name, 'exec'), {{}})"
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", run_all],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,  # one of them makes a folder
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["study", "tests"])
def test_both_commands_make_their_own_environment(name):
    command = re.search(rf"^<!-- command: {name} -->\n```bash\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert command is not None
    assert command[1].startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert command[1].count("\n") == 1  # one line
    assert "\npip" not in command[1]


def test_sections_that_commands_fill_are_marked():
    for name in ("study", "support"):
        assert README.index(f"<!-- {name}:begin -->") < README.index(f"<!-- {name}:end -->")


def test_every_name_in_the_table_for_those_who_come_from_neural_tangents_exists():
    text = (ROOT / "docs" / "coming-from-neural-tangents.md").read_text("utf-8")
    cells = [line.split(" | ")[1] for line in text.partition("| remark |")[2].splitlines() if line.count(" | ") == 2]
    names = {re.match(r"[\w.]+", code)[0] for cell in cells for code in re.findall("`(.+?)`", cell)}
    places = [equitangents, nets, kernels, dynamics, estimators, scale, GradientFlow]
    assert len(names) > 60
    assert {name for name in names if not any(resolves(place, name) for place in places)} == {"t"}  # an argument


def resolves(place, name):
    """Whether attributes lead from it to the name; the package may stand at the beginning."""
    try:
        operator.attrgetter(name.removeprefix("equitangents."))(place)
    except AttributeError:
        return False
    return True
