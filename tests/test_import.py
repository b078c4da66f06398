"""`import equitangents` in a fresh interpreter defines things, and does nothing else."""

import json
import subprocess
import sys

import pytest

PROBE = """
import json, sys, time
import jax, equinox, jaxtyping

flags = {name: value for name, value in jax.config.values.items()}
loaded = set(sys.modules)
events = []
watched = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system")
sys.addaudithook(lambda event, args: events.append(event) if event in watched else None)
start = time.process_time()
import equitangents
seconds = time.process_time() - start
changed = [name for name, value in jax.config.values.items() if flags[name] != value]
print(json.dumps({
    "seconds": seconds,
    "changed": changed,
    "events": events,
    "arrays": len(jax.live_arrays()),
    "loaded": sorted(set(sys.modules) - loaded),
}))
"""

HEAVY = ["matplotlib", "sklearn", "optax", "pandas", "pyarrow", "typer", "rich", "jinja2", "PIL"]
HEAVY += ["scipy.optimize", "scipy.stats", "scipy.integrate", "scipy.linalg", "urllib.request"]


@pytest.fixture(scope="module")
def probe():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_import_sets_no_flag_of_jax(probe):
    assert probe["changed"] == []


def test_import_computes_nothing(probe):
    assert probe["arrays"] == 0


def test_import_opens_no_connection_and_starts_no_program(probe):
    assert probe["events"] == []


@pytest.mark.parametrize("name", HEAVY)
def test_import_leaves_to_its_user_to_load(probe, name):
    assert [module for module in probe["loaded"] if module == name or module.startswith(name + ".")] == []


def test_import_adds_less_than_a_second_to_that_of_jax_and_equinox(probe):
    assert probe["seconds"] < 1.0
