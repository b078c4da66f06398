"""Terms of a recursion with products of means put together into covariances, which keep their digits."""

from fractions import Fraction
from typing import NamedTuple

from .request import Request
from .term import Term


class Summand(NamedTuple):
    """A term whose means are requests over slots; the rest as in `Term`."""

    coefficient: Fraction
    c_w: int
    lambda_w: int
    ratio: int
    thetas: tuple[tuple[int, int], ...]
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    means: tuple[Request, ...]


def summands(terms: tuple[Term, ...]) -> tuple[Summand, ...]:
    r"""$c (\langle XY \rangle - \langle X \rangle \langle Y \rangle)$ becomes one summand, others stay.

    >>> from equitangents.corrections import recursion
    >>> len(recursion("V").terms), len(summands(recursion("V").terms))
    (18, 17)
    """
    joint = {term[1:]: term for term in terms if len(term.blobs) == 1}
    found, used = [], set()
    for term in terms:
        if len(term.blobs) == 2:
            whole = term._replace(blobs=(tuple(sorted(term.blobs[0] + term.blobs[1])),))[1:]
            if whole in joint and joint[whole].coefficient == -term.coefficient and whole not in used:
                used.add(whole)
                x, y = term.blobs
                found.append(Summand(-term.coefficient, *term[1:6], means=((x, y),)))
                continue
        if len(term.blobs) != 1:
            found.append(Summand(*term[:6], means=tuple((blob, ()) for blob in term.blobs)))
    alone = (term for key, term in joint.items() if key not in used)
    return (*found, *(Summand(*term[:6], means=((term.blobs[0], ()),)) for term in alone))
