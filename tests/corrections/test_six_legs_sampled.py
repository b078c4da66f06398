"""Tensors with six legs, NTKs among them, at layer 3 against random tanh networks, where no closed form is known.

One input. Layers 1 and 2 are drawn; the mean over the weights of layer 3 is taken by hand, which makes each tensor a
mean, a covariance or a third cumulant of sums over neurons. Three widths, extrapolated with 1/n and 1/n^2.
"""

import functools
import math

import numpy as np
import pytest
from numpy.polynomial import hermite_e, polynomial

from equitangents.corrections import merged, recursion, tensor

C_B, C_W, LAMBDA_B, LAMBDA_W = 0.1, 1.5, 0.3, 0.7
K1, THETA1 = C_B + C_W, LAMBDA_B + LAMBDA_W  # layer 1 at x.x / n_0 = 1


def sums(rng, draws, n):
    """What pairs and crossed pairs of legs of layer 3 average to, given layers 1 and 2: by name, shape (draws,)."""
    z = math.sqrt(K1) * rng.standard_normal((draws, n))
    s, s1 = np.tanh(z), 1 - np.tanh(z) ** 2
    w = math.sqrt(C_W / n) * rng.standard_normal((draws, n, n))
    z = np.einsum("bij,bj->bi", w, s) + math.sqrt(C_B) * rng.standard_normal((draws, n))
    f = np.tanh(z)
    f1 = 1 - f**2
    each = np.arange(n)
    ntk = np.matmul(w * (THETA1 * s1**2)[:, None, :], w.transpose(0, 2, 1))
    ntk[:, each, each] += (LAMBDA_B + LAMBDA_W * np.mean(s**2, axis=1))[:, None]
    mixed, slopes = f * f1, f1**2
    step = ntk * slopes[:, None, :]
    return {
        "zz": C_W * np.mean(f**2, axis=1),
        "ntk": np.mean(LAMBDA_W * f**2 + C_W * slopes * ntk[:, each, each], axis=1),
        "z ntk z": (C_W / n) ** 2 * np.einsum("bi,bij,bj->b", mixed, ntk, mixed),
        "two crossed": (C_W / n) ** 2 * np.einsum("bi,bij,bj->b", slopes, ntk**2, slopes),
        "chain": (C_W / n) ** 3 * np.einsum("bi,bij,bj->b", mixed, np.matmul(step, ntk), mixed),
        "triangle": (C_W / n) ** 3 * np.einsum("bij,bji->b", np.matmul(step, step), step),
    }


TENSORS = {
    "V6": ("zz", "zz", "zz"),
    "01|01,23,45": ("ntk", "zz", "zz"),
    "01,23|01,23,45": ("ntk", "ntk", "zz"),
    "01,23,45|01,23,45": ("ntk", "ntk", "ntk"),
    "13|01,23,45": ("z ntk z", "zz"),
    "13,45|01,23,45": ("z ntk z", "ntk"),
    "02,13|01,23,45": ("two crossed", "zz"),
    "02,13,45|01,23,45": ("two crossed", "ntk"),
    "02,34|01,23,45": ("chain",),
    "02,14,35|01,23,45": ("triangle",),
}
TANH = [[0, 1]]  # its derivatives as polynomials in itself
for _ in range(8):
    TANH.append(list(polynomial.polymul(polynomial.polyder(TANH[-1]), [1, 0, -1])))


@functools.cache
def terms_of(name):
    return merged(recursion(name), (0,) * tensor(name).slots).terms


def predicted(layers):
    """The tensors after so many layers of equal width, by name."""
    names, more = {"K", "Theta"}, {tensor(name).name for name in TENSORS}
    while not more <= names:
        names |= more
        more = {old for name in names for term in terms_of(name) for old, _ in term.tensors}
    points, weights = hermite_e.hermegauss(200)
    values = {"K": K1, "Theta": THETA1}
    for layer in range(1, layers):
        f = np.tanh(math.sqrt(values["K"]) * points)
        derivatives = [polynomial.polyval(f, p) for p in TANH]

        def mean(blob, derivatives=derivatives):
            return np.sum(weights * math.prod(derivatives[order] for _, order in blob)) / np.sum(weights)

        after = {"K": C_B, "Theta": LAMBDA_B}
        for name in names:
            for term in terms_of(name):
                factors = [term.coefficient, C_W**term.c_w, LAMBDA_W**term.lambda_w, float(layer > 1) ** term.ratio]
                factors += [values["Theta"] ** len(term.thetas), *(values.get(old, 0.0) for old, _ in term.tensors)]
                after[name] = after.get(name, 0.0) + math.prod(map(float, factors)) * math.prod(map(mean, term.blobs))
        values = after
    return values


@pytest.mark.slow
def test_six_leg_tensors_with_ntks():
    widths, batches = (16, 32, 64), 20
    rng = np.random.default_rng(2)
    values, errors = [], []
    for n in widths:
        draws = []
        for _ in range(batches):
            parts = [sums(rng, 2**20 // n**2, n) for _ in range(n // 2)]
            drawn = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            centred = {key: value - value.mean() for key, value in drawn.items()}
            draws.append(
                [
                    n**2 * np.mean(math.prod(centred[key] for key in keys) if len(keys) > 1 else drawn[keys[0]])
                    for keys in TENSORS.values()
                ]
            )
        values.append(np.mean(draws, axis=0))
        errors.append(np.std(draws, axis=0, ddof=1) / math.sqrt(batches))
    powers = np.array([[1.0, 1 / n, 1 / n**2] for n in widths])
    weights = np.linalg.inv(powers)[0]  # three widths: the parabola through them, at 1/n = 0
    theory = predicted(3)
    for i, name in enumerate(TENSORS):
        found = sum(w * value[i] for w, value in zip(weights, values, strict=True))
        error = math.sqrt(sum((w * e[i]) ** 2 for w, e in zip(weights, errors, strict=True)))
        assert abs(found - theory[tensor(name).name]) < 4 * error, (name, found, error, theory[tensor(name).name])
