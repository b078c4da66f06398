"""Recursions as text, LaTeX and SymPy."""

import sys
from fractions import Fraction

import pytest

from equitangents.corrections import TENSORS, latex, recursion, text, to_sympy


def test_text():
    assert str(recursion("F")).splitlines()[:2] == [
        "F'_0123 = C_W² Θ_13 ⟨σ_0 σ'_1 σ_2 σ'_3⟩",
        "        + r C_W² F_0123 ⟨σ'_0 σ'_1⟩ ⟨σ'_2 σ'_3⟩",
    ]
    assert str(recursion("G1").terms[-1]) == "1/8 r C_W V_1111 ⟨σ_0 σ⁽⁴⁾_1⟩"
    assert str(recursion("V").terms[0]) == "- C_W² ⟨σ_0 σ_1⟩ ⟨σ_2 σ_3⟩"
    assert text(recursion("02,13|01,23,45")).startswith("[02,13|01,23,45]'_012345 = - C_W³ Θ_02 Θ_13 ")


def test_latex():
    assert latex(recursion("B")) == (
        "\\begin{aligned}\n"
        r"B'_{0123} =& C_W^2 \Theta_{02} \Theta_{13} \langle \sigma'_{0} \sigma'_{1} \sigma'_{2} \sigma'_{3} \rangle \\"
        "\n"
        r"& + r C_W^2 B_{0123} \langle \sigma'_{0} \sigma'_{1} \rangle \langle \sigma'_{2} \sigma'_{3} \rangle"
        "\n\\end{aligned}"
    )
    assert r"\tfrac{1}{8} r C_W V_{1111} \langle \sigma_{0} \sigma^{(4)}_{1} \rangle" in latex(recursion("G1"))


@pytest.mark.parametrize("name", TENSORS)
def test_every_term_is_shown_once(name):
    found = recursion(name)
    assert str(found).count("\n") == latex(found).count("&") - (len(found.terms) > 1) == len(found.terms) - 1
    assert latex(found).count("{") == latex(found).count("}")


def test_sympy_solves_the_linear_network_of_one_input():
    """sigma(z) = z, C_W = lambda_W = r = 1: <s s> = K, <s' s'> = 1, so V -> V + 2 K^2 and F -> F + Theta K."""
    sympy = pytest.importorskip("sympy")
    k, old_v, old_f, ntk = sympy.symbols("K V F Theta")

    def mean(blob):
        zeros = sum(order == 0 for _, order in blob)
        return 0 if any(order > 1 for _, order in blob) else {0: 1, 2: k, 4: 3 * k**2}[zeros]

    def after(name):
        indexed = to_sympy(recursion(name), mean)
        numbers = {"V": old_v, "F": old_f, "Theta": ntk}
        indexed = indexed.replace(lambda e: isinstance(e, sympy.Indexed), lambda e: numbers[str(e.base)])
        return indexed.subs({"C_W": 1, "lambda_W": 1, "r": 1})

    assert sympy.expand(after("V") - old_v - 2 * k**2) == 0
    assert sympy.expand(after("F") - old_f - ntk * k) == 0
    assert after("Theta") == sympy.Symbol("lambda_b") + k + ntk


def test_sympy_keeps_every_term_apart():
    sympy = pytest.importorskip("sympy")
    expression = to_sympy(recursion("D"))
    assert len(expression.args) == len(recursion("D").terms)
    assert expression.has(sympy.Symbol(r"\langle \sigma_{0} \sigma_{1} \rangle"))
    assert sympy.Rational(1, 4) in {term.as_coeff_Mul()[0] for term in expression.args}
    assert to_sympy(recursion("B").terms[0]).as_coeff_Mul()[0] == Fraction(1)


def test_without_sympy_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(ImportError, match=r"equitangents\[symbolic\]"):
        to_sympy(recursion("F"))
