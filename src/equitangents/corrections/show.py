r"""Recursions to read: as plain text, as LaTeX, as expressions of SymPy, in the names of the literature."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .tensors import TENSORS
from .term import Blob, Recursion, Term

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
GREEK = {"Theta": "Θ", "lambda_b": "λ_b"}
LATEX = {"Theta": r"\Theta", "lambda_b": r"\lambda_b", "G1": "G^{(1)}", "H1": "H^{(1)}", "V6": "V^{(6)}"}


def text(shown: Recursion | Term) -> str:
    """Plain text; ' is a derivative of sigma, or the new layer on the left.

    >>> from equitangents.corrections import recursion
    >>> print(text(recursion("Theta")))
    Θ'_01 = λ_b + λ_W ⟨σ_0 σ_1⟩
          + C_W Θ_01 ⟨σ'_0 σ'_1⟩
    """
    if isinstance(shown, Term):
        sign, size = _number(shown.coefficient, str)
        return (sign + _text_term(shown, size)).removeprefix("+ ")
    left = f"{text_name(shown.name)}'_{_digits(range(shown.slots))} ="
    lines = [sign + _text_term(term, size) for term in shown.terms for sign, size in [_number(term.coefficient, str)]]
    first = lines[0] if shown.constant is None else f"{GREEK.get(shown.constant, shown.constant)} {lines[0]}"
    indent = "\n" + " " * (len(left) - 1)
    return f"{left} {indent.join([first.removeprefix('+ '), *lines[1:]])}"


def text_name(name: str) -> str:
    """Of a tensor; keys of forests stand in brackets."""
    return GREEK.get(name, name) if name in TENSORS else f"[{name}]"


def latex(shown: Recursion | Term) -> str:
    r"""LaTeX, in an aligned environment where there is more than one term.

    >>> from equitangents.corrections import recursion
    >>> print(latex(recursion("K")))
    K'_{01} = C_b + C_W \langle \sigma_{0} \sigma_{1} \rangle
    """
    if isinstance(shown, Term):
        sign, size = _number(shown.coefficient, latex_number)
        return (sign + _latex_term(shown, size)).removeprefix("+ ")
    left = latex_new(shown.name, shown.slots)
    lines = [
        sign + _latex_term(term, size)
        for term in shown.terms
        for sign, size in [_number(term.coefficient, latex_number)]
    ]
    first = lines[0] if shown.constant is None else f"{LATEX.get(shown.constant, shown.constant)} {lines[0]}"
    lines = [first.removeprefix("+ "), *lines[1:]]
    if len(lines) == 1:
        return f"{left} = {lines[0]}"
    rows = " \\\\\n".join(f"{'=' if i == 0 else ''}& {line}" for i, line in enumerate(lines))
    return f"\\begin{{aligned}}\n{left} {rows}\n\\end{{aligned}}"


def latex_name(name: str) -> str:
    """Of a tensor, in LaTeX."""
    return LATEX.get(name, name) if name in TENSORS else r"\bigl[" + name.replace("|", r"\,|\,") + r"\bigr]"


def latex_new(name: str, slots: int) -> str:
    """The left-hand side: the tensor of the new layer, with its indices."""
    symbol = latex_name(name)
    return f"{f'{{{symbol}}}' if '^' in symbol else symbol}'_{{{_digits(range(slots))}}}"


def to_sympy(shown: Recursion | Term, mean: Callable[[Blob], Any] | None = None) -> Any:
    r"""A SymPy expression: the right-hand side, in symbols C_W, lambda_W, r, C_b, lambda_b.

    Args:
        shown: recursion or term.
        mean: the Gaussian mean of a blob ((slot, order), ...) as a SymPy expression; symbols such as
            $\langle \sigma_0 \sigma'_1 \rangle$ where it is not given.

    Tensors are indexed, `V[0, 1, 2, 3]`, NTKs `Theta[0, 1]`. Needs the extra `symbolic`.

    Raises:
        ImportError: SymPy is not installed.
    """
    try:
        import sympy
    except ImportError as error:
        raise ImportError("to_sympy needs SymPy; install equitangents[symbolic].") from error
    if isinstance(shown, Recursion):
        start = sympy.Symbol(shown.constant) if shown.constant else sympy.Integer(0)
        return sympy.Add(start, *(to_sympy(term, mean) for term in shown.terms))
    mean = mean or (lambda blob: sympy.Symbol(latex_blob(blob)))
    c_w, lambda_w, r = sympy.symbols("C_W lambda_W r")
    factors = [sympy.Rational(shown.coefficient.numerator, shown.coefficient.denominator)]
    factors += [r**shown.ratio, c_w**shown.c_w, lambda_w**shown.lambda_w]
    factors += [sympy.IndexedBase("Theta")[pair] for pair in shown.thetas]
    factors += [sympy.IndexedBase(name)[slots] for name, slots in shown.tensors]
    return sympy.Mul(*factors, *map(mean, shown.blobs))


def latex_number(number: Fraction) -> str:
    """An integer, or a fraction of two."""
    return str(number) if number.denominator == 1 else rf"\tfrac{{{number.numerator}}}{{{number.denominator}}}"


def latex_sigma(order: int) -> str:
    r"""$\sigma, \sigma', \sigma'', \sigma''', \sigma^{(4)}, \ldots$"""
    return r"\sigma" + ("'" * order if order < 4 else f"^{{({order})}}")


def latex_blob(blob: Blob) -> str:
    """One Gaussian mean."""
    return rf"\langle {' '.join(f'{latex_sigma(order)}_{{{slot}}}' for slot, order in blob)} \rangle"


def text_sigma(order: int) -> str:
    """σ, σ', σ'', σ''', σ⁽⁴⁾, ..."""
    return "σ" + ("'" * order if order < 4 else f"⁽{str(order).translate(SUPERSCRIPTS)}⁾")


def text_blob(blob: Blob) -> str:
    """One Gaussian mean."""
    return f"⟨{' '.join(f'{text_sigma(order)}_{slot}' for slot, order in blob)}⟩"


def _number(number: Fraction, write: Callable[[Fraction], str]) -> tuple[str, str]:
    return "- " if number < 0 else "+ ", "" if abs(number) == 1 else write(abs(number))


def _digits(slots: Any) -> str:
    return "".join(map(str, slots))


def text_power(symbol: str, power: int) -> str:
    """Symbol to a power, nothing for power 0."""
    return "" if power == 0 else symbol + (str(power).translate(SUPERSCRIPTS) if power > 1 else "")


def latex_power(symbol: str, power: int) -> str:
    """Symbol to a power, nothing for power 0."""
    return "" if power == 0 else symbol + (f"^{power}" if power > 1 else "")


def _text_term(term: Term, size: str) -> str:
    parts = [size, text_power("r", term.ratio), text_power("C_W", term.c_w), text_power("λ_W", term.lambda_w)]
    parts += [f"Θ_{_digits(pair)}" for pair in term.thetas]
    parts += [f"{text_name(name)}_{_digits(slots)}" for name, slots in term.tensors]
    return " ".join(filter(None, [*parts, *map(text_blob, term.blobs)]))


def _latex_term(term: Term, size: str) -> str:
    parts = [size, latex_power("r", term.ratio), latex_power("C_W", term.c_w), latex_power(r"\lambda_W", term.lambda_w)]
    parts += [rf"\Theta_{{{_digits(pair)}}}" for pair in term.thetas]
    parts += [f"{latex_name(name)}_{{{_digits(slots)}}}" for name, slots in term.tensors]
    return " ".join(filter(None, [*parts, *map(latex_blob, term.blobs)]))
