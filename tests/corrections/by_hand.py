"""The recursions of the four-leg tensors and of the means as the literature writes them, typed, not generated.

An expression is a sum of products; a product holds factors of one neuron, not yet averaged, which `mean` closes. Dummy
indices are summed over all samples, as printed: Roberts, Yaida and Hanin (2022), arXiv:2106.10165; Guillen, Misof and
Gerken (2025), arXiv:2508.11522. With labels a, b, c, d for the samples in the order of the tensor's indices.
"""

import itertools
from collections import Counter
from fractions import Fraction

from equitangents.corrections import Term

SAMPLES = range(4)


class Expression(Counter):
    """Coefficients by (c_w, lambda_w, ratio, thetas, tensors, blobs, open factors)."""

    def __mul__(self, other):
        if not isinstance(other, Expression):
            return Expression({key: value * Fraction(other) for key, value in self.items()})
        product = Expression()
        for (one, a), (two, b) in itertools.product(self.items(), other.items()):
            powers = tuple(x + y for x, y in zip(one[:3], two[:3], strict=True))
            product[(*powers, *(tuple(sorted(x + y)) for x, y in zip(one[3:], two[3:], strict=True)))] += a * b
        return product

    __rmul__ = __mul__

    def __add__(self, other):
        total = Expression(self)
        for key, value in other.items():
            total[key] += value
        return total

    def __sub__(self, other):
        return self + -1 * other

    def terms(self):
        return [Term(value, *key[:6]) for key, value in self.items() if value]


def _one(c_w=0, lambda_w=0, ratio=0, thetas=(), tensors=(), blobs=(), factors=()):
    return Expression({(c_w, lambda_w, ratio, thetas, tensors, blobs, factors): Fraction(1)})


def s(slot, order=0):
    return _one(factors=((slot, order),))


C, LAMBDA, r = _one(c_w=1), _one(lambda_w=1), _one(ratio=1)


def theta(a, b):
    return _one(thetas=((min(a, b), max(a, b)),))


def old(name, *slots):
    return _one(tensors=((name, slots),))


def mean(f):
    closed = Expression()
    for key, value in f.items():
        closed[(*key[:5], tuple(sorted((*key[5], key[6]))), ())] += value
    return closed


def d(f, *slots):
    for slot in slots:
        after = Expression()
        for key, value in f.items():
            for i, (at, order) in enumerate(key[6]):
                if at == slot:
                    factors = tuple(sorted((*key[6][:i], (at, order + 1), *key[6][i + 1 :])))
                    after[(*key[:6], factors)] += value
        f = after
    return f


def total(summand, dummies):
    result = Expression()
    for slots in itertools.product(SAMPLES, repeat=dummies):
        result = result + summand(*slots)
    return result


def omega(a, b):
    return LAMBDA * s(a) * s(b) + C * theta(a, b) * s(a, 1) * s(b, 1)


def u(a, b):
    return LAMBDA * s(a, 1) * s(b) + C * theta(a, b) * s(a, 2) * s(b, 1)


def v(a, b):
    return LAMBDA * s(a, 2) * s(b) + C * theta(a, b) * s(a, 3) * s(b, 1)


def p(a, b):
    return mean(s(a, 1) * s(b, 1))


def joined(f, g):
    """1/4 V_{rho kappa mu nu} <d_rho d_kappa f> <d_mu d_nu g>."""
    return Fraction(1, 4) * total(lambda i, j, k, m: old("V", i, j, k, m) * mean(d(f, i, j)) * mean(d(g, k, m)), 4)


def shifted(f):
    """1/2 G1_{rho kappa} <d_rho d_kappa f> + 1/8 V_{rho kappa mu nu} <d_rho d_kappa d_mu d_nu f>."""
    first = Fraction(1, 2) * total(lambda i, j: old("G1", i, j) * mean(d(f, i, j)), 2)
    return first + Fraction(1, 8) * total(lambda i, j, k, m: old("V", i, j, k, m) * mean(d(f, i, j, k, m)), 4)


def half_d(f, a, b):
    """1/2 C_W <s'_a s'_b> D_{rho kappa a b} <d_rho d_kappa f>."""
    return Fraction(1, 2) * C * p(a, b) * total(lambda i, j: old("D", i, j, a, b) * mean(d(f, i, j)), 2)


def g1(a, b):
    return r * C * shifted(s(a) * s(b))


def h1(a, b):
    bare = s(a, 1) * s(b, 1)
    kernels = total(lambda i, j: old("D", i, j, a, b) * Fraction(1, 2) * mean(d(bare, i, j)), 2)
    crossed = total(lambda i, j: old("F", i, a, j, b) * mean(d(bare, i, j)), 2)
    return r * (C * p(a, b) * old("H1", a, b) + shifted(omega(a, b)) + C * (kernels + crossed))


def V(a, b, c, e):
    f, g = s(a) * s(b), s(c) * s(e)
    return C * C * (mean(f * g) - mean(f) * mean(g) + r * joined(f, g))


def D(a, b, c, e):
    f, g = s(a) * s(b), omega(c, e)
    return C * (mean(f * g) - mean(f) * mean(g) + r * joined(f, g) + r * half_d(f, c, e))


def F(a, b, c, e):
    f, g = s(a) * s(b, 1), s(c) * s(e, 1)
    other = total(lambda i, j: old("F", i, b, j, e) * mean(d(f, i)) * mean(d(g, j)), 2)
    return C * C * (theta(b, e) * mean(f * g) + r * other)


def A(a, b, c, e):
    f, g = omega(a, b), omega(c, e)
    kept = C * C * p(a, b) * p(c, e) * old("A", a, b, c, e)
    return mean(f * g) - mean(f) * mean(g) + r * (joined(f, g) + half_d(f, c, e) + half_d(g, a, b) + kept)


def B(a, b, c, e):  # B_{1324}: NTKs (1, 2) and (3, 4), that is (a, c) and (b, e)
    one = theta(a, c) * theta(b, e) * mean(s(a, 1) * s(c, 1) * s(b, 1) * s(e, 1))
    return C * C * (one + r * p(a, b) * p(c, e) * old("B", a, b, c, e))


def P(a, b, c, e):
    kept = mean(s(a, 2) * s(e)) * old("B", a, a, b, c)
    moved = total(lambda i: old("P", a, b, c, i) * mean(d(s(a, 1) * s(e), i)), 1)
    one = theta(a, b) * theta(a, c) * mean(s(a, 2) * s(b, 1) * s(c, 1) * s(e))
    return C * C * (one + r * p(b, c) * (kept + moved))


def Q(a, b, c, e):
    f, g = u(a, b), s(c, 1) * s(e)
    crossed = total(lambda i, k: mean(d(g, k)) * old("F", i, a, k, c) * mean(d(f, i)), 2)
    kept = total(lambda k: mean(d(g, k)) * C * p(a, b) * old("Q", a, b, c, k), 1)
    return C * (theta(a, c) * mean(f * g) + r * (crossed + kept))


def R(a, b, c, e):
    kept = mean(v(a, b)) * old("B", a, a, c, e) + C * p(a, b) * old("R", a, b, c, e)
    moved = total(lambda i: old("P", a, c, e, i) * mean(d(u(a, b), i)), 1)
    one = theta(a, c) * theta(a, e) * mean(v(a, b) * s(c, 1) * s(e, 1))
    return C * (one + r * p(c, e) * (kept + moved))


def S(a, b, c, e):
    f = LAMBDA * s(a, 1) * s(b, 1) + C * theta(a, b) * s(a, 2) * s(b, 2)
    one = C * theta(a, c) * theta(b, e) * mean(f * s(c, 1) * s(e, 1))
    return one + r * C * p(c, e) * (mean(f) * old("B", a, b, c, e) + C * p(a, b) * old("S", a, b, c, e))


def T(one, three, four, two):  # T_{1342}
    f, g = u(one, three), u(two, four)
    crossed = total(lambda i, k: old("F", i, one, k, two) * mean(d(f, i)) * mean(d(g, k)), 2)
    left = total(lambda i: C * p(two, four) * old("Q", two, four, one, i) * mean(d(f, i)), 1)
    right = total(lambda k: C * p(one, three) * old("Q", one, three, two, k) * mean(d(g, k)), 1)
    kept = C * C * p(one, three) * p(two, four) * old("T", one, three, four, two)
    return theta(one, two) * mean(f * g) + r * (crossed + left + right + kept)


def U(one, four, two, three):  # U_{1423}
    chain = theta(one, two) * theta(one, three) * theta(two, four)
    first = chain * mean(s(one, 2) * s(two, 2) * s(three, 1) * s(four, 1))
    return C * C * (first + r * p(one, four) * p(two, three) * old("U", one, four, two, three))


FORMULAS = {"G1": g1, "H1": h1, "V": V, "D": D, "F": F, "A": A, "B": B, "P": P, "Q": Q, "R": R, "S": S, "T": T, "U": U}
