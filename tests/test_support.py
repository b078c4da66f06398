"""Every layer with every analysis: it works, or there is a reason why not; the documents show this table."""

from pathlib import Path

import pytest

from equitangents.kernels.activations import method_of
from support import ACTIVATIONS, ANALYSES, EXAMPLES, UNSUPPORTED, cell, public_layers, single_precision_error

ROOT = Path(__file__).parents[1]


def rows(text):
    """layer -> its cells, from a table in Markdown."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    return {line[0].strip("`"): [entry.strip() for entry in line[1:]] for line in lines}


SHOWN = rows((ROOT / "docs" / "support.md").read_text(encoding="utf-8"))


# compiling takes long, of quadratures and series most, and these share their code with others: Tanh and Activation are
# always tested, AbRelu for LeakyRelu and Abs, Sin for Cos, and examples that contain the layer for the last three
SLOW = ["Elu", "Selu", "Sigmoid", "Silu", "Softplus", "Mish", "LeakyRelu", "Monomial", "Polynomial", "Recurrent"]
SLOW += ["Gabor", "Hermite", "Rbf", "Abs", "Cos", "Lift", "ActionLift", "Flatten"]


# what float32 keeps depends on the compiler; these tests come last, since each switch forgets all programs
PRECISE = "float32 near x1 = x2"
CELLS = [pytest.param(a, marks=pytest.mark.optimised) if a == PRECISE else a for a in ANALYSES]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in EXAMPLES])
@pytest.mark.parametrize("analysis", CELLS)
def test_the_table_says_what_happens(name, analysis):
    column = SHOWN["layer"].index(analysis)
    assert SHOWN[name][column] == cell(name, analysis)


@pytest.mark.parametrize("name, analysis", UNSUPPORTED)
def test_what_is_not_supported_says_so(name, analysis):
    with pytest.raises(NotImplementedError, match=UNSUPPORTED[name, analysis]):
        ANALYSES[analysis](name)


def test_every_public_layer_is_in_the_table():
    assert set(EXAMPLES) == public_layers()
    assert set(SHOWN) == {"layer", *EXAMPLES}


def test_the_readme_shows_the_same_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    inside = text.partition("<!-- support:begin -->")[2].partition("<!-- support:end -->")[0]
    assert rows(inside) == SHOWN


ACCURACY = rows(
    (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8").partition("## Accuracy")[2].partition("## ")[0]
)
ALWAYS = ["Relu", "Gelu"]


@pytest.mark.optimised
@pytest.mark.parametrize("name", [n if n in ALWAYS else pytest.param(n, marks=pytest.mark.slow) for n in ACTIVATIONS])
def test_errors_in_single_precision_are_as_documented(name):
    """Below the bound, which is at most ten times the error."""
    error, (method, bound) = single_precision_error(name), ACCURACY[name]
    assert method == method_of(EXAMPLES[name][0].layers[-1])
    assert error < float(bound) < 10 * error


def test_every_nonlinearity_has_its_accuracy_documented():
    assert set(ACCURACY) == {"nonlinearity", *ACTIVATIONS}
