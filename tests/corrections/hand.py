r"""The recursions written by hand in NumPy, with their sums over dummy samples: the witness of the generated ones.

Equations of Roberts, Yaida and Hanin (2022), arXiv:2106.10165, and Guillen, Misof and Gerken (2025), arXiv:2508.11522,
in the notation of the docstrings of `equitangents.corrections`. A function of the preactivations is a dictionary
{sorted factors (sample, order): coefficient}; means are Gauss-Hermite sums over two samples.
"""

import itertools

import numpy as np


def gauss_hermite_mean(phi, k, nodes=64):
    """The mean over z ~ N(0, k), k (2, 2), of a function; `phi(order, z)` is a derivative of the nonlinearity."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    low = np.linalg.cholesky(k)
    z = np.einsum("ij,jab->iab", low, np.stack(np.meshgrid(x, x, indexing="ij")))
    values = {(sample, order): phi(order, z[sample]) for sample in range(2) for order in range(6)}
    known = {}

    def mean(f):
        for factors in f:
            if factors not in known:
                known[factors] = w @ np.prod([values[factor] for factor in factors], axis=0) @ w
        return sum(c * known[factors] for factors, c in f.items())

    return mean


def s(sample, order=0):
    """sigma^(order)(z_sample)."""
    return {((sample, order),): 1.0}


def times(*functions):
    total = {(): 1.0}
    for f in functions:
        total = {
            key: sum(a * b for (x, a), (y, b) in itertools.product(total.items(), f.items()) if _join(x, y) == key)
            for key in {_join(x, y) for x in total for y in f}
        }
    return total


def _join(x, y):
    return tuple(sorted(x + y))


def plus(*weighted):
    total = {}
    for c, f in weighted:
        for key, value in f.items():
            total[key] = total.get(key, 0.0) + c * value
    return total


def d(f, *samples):
    """Derivatives with respect to z of each of the samples, one after the other."""
    for rho in samples:
        new = {}
        for factors, c in f.items():
            for i, (sample, order) in enumerate(factors):
                if sample == rho:
                    key = tuple(sorted((*factors[:i], (sample, order + 1), *factors[i + 1 :])))
                    new[key] = new.get(key, 0.0) + c
        f = new
    return f


def step(t, c_w, c_b, lam, lam_b, r, phi):
    """The tensors of layer l + 1 from those of layer l, a dictionary with all 15 names, over two samples."""
    E = gauss_hermite_mean(phi, t["K"])
    th = t["Theta"]
    two, four = list(itertools.product(range(2), repeat=2)), list(itertools.product(range(2), repeat=4))

    def omega(a, b):
        return plus((lam, times(s(a), s(b))), (c_w * th[a, b], times(s(a, 1), s(b, 1))))

    def u(a, b):
        return plus((lam, times(s(a, 1), s(b))), (c_w * th[a, b], times(s(a, 2), s(b, 1))))

    def v(a, b):
        return plus((lam, times(s(a, 2), s(b))), (c_w * th[a, b], times(s(a, 3), s(b, 1))))

    def p(a, b):
        return E(times(s(a, 1), s(b, 1)))

    def ss(a, b):
        return times(s(a), s(b))

    def cov(f, g):
        return E(times(f, g)) - E(f) * E(g)

    V, D, F, A, B, P, Q, R, S, T, U = (t[name] for name in "VDFABPQRSTU")
    new = {name: np.zeros_like(value) for name, value in t.items()}
    for a, b in two:
        new["K"][a, b] = c_b + c_w * E(ss(a, b))
        new["Theta"][a, b] = lam_b + E(omega(a, b))
        new["G1"][a, b] = (
            r
            * c_w
            * (
                sum(t["G1"][ρ, κ] / 2 * E(d(ss(a, b), ρ, κ)) for ρ, κ in two)
                + sum(V[ρ, κ, μ, ν] / 8 * E(d(ss(a, b), ρ, κ, μ, ν)) for ρ, κ, μ, ν in four)
            )
        )
        new["H1"][a, b] = r * (
            c_w * p(a, b) * t["H1"][a, b]
            + sum(t["G1"][ρ, κ] / 2 * E(d(omega(a, b), ρ, κ)) for ρ, κ in two)
            + sum(V[ρ, κ, μ, ν] / 8 * E(d(omega(a, b), ρ, κ, μ, ν)) for ρ, κ, μ, ν in four)
            + sum(c_w * (D[ρ, κ, a, b] / 2 + F[ρ, a, κ, b]) * E(d(times(s(a, 1), s(b, 1)), ρ, κ)) for ρ, κ in two)
        )

    def through_v(f, g):
        return sum(V[ρ, κ, μ, ν] / 4 * E(d(f, ρ, κ)) * E(d(g, μ, ν)) for ρ, κ, μ, ν in four)

    def through_d(f, a, b):
        return c_w * p(a, b) * sum(D[ρ, κ, a, b] / 2 * E(d(f, ρ, κ)) for ρ, κ in two)

    for i1, i2, i3, i4 in four:
        new["V"][i1, i2, i3, i4] = c_w**2 * (cov(ss(i1, i2), ss(i3, i4)) + r * through_v(ss(i1, i2), ss(i3, i4)))
        new["D"][i1, i2, i3, i4] = c_w * (
            cov(ss(i1, i2), omega(i3, i4))
            + r * through_v(ss(i1, i2), omega(i3, i4))
            + r * through_d(ss(i1, i2), i3, i4)
        )
        new["F"][i1, i3, i2, i4] = c_w**2 * (
            th[i3, i4] * E(times(s(i1), s(i2), s(i3, 1), s(i4, 1)))
            + r
            * sum(F[ρ, i3, κ, i4] * E(d(times(s(i1), s(i3, 1)), ρ)) * E(d(times(s(i2), s(i4, 1)), κ)) for ρ, κ in two)
        )
        new["A"][i1, i2, i3, i4] = cov(omega(i1, i2), omega(i3, i4)) + r * (
            through_v(omega(i1, i2), omega(i3, i4))
            + through_d(omega(i1, i2), i3, i4)
            + through_d(omega(i3, i4), i1, i2)
            + c_w**2 * p(i1, i2) * p(i3, i4) * A[i1, i2, i3, i4]
        )
        new["B"][i1, i3, i2, i4] = c_w**2 * (
            th[i1, i2] * th[i3, i4] * E(times(s(i1, 1), s(i2, 1), s(i3, 1), s(i4, 1)))
            + r * p(i1, i3) * p(i2, i4) * B[i1, i3, i2, i4]
        )
        new["S"][i1, i2, i3, i4] = c_w * (
            th[i1, i3] * th[i2, i4] * E(times(pair(i1, i2, lam, c_w, th), s(i3, 1), s(i4, 1)))
            + r * p(i3, i4) * (E(pair(i1, i2, lam, c_w, th)) * B[i1, i2, i3, i4] + c_w * p(i1, i2) * S[i1, i2, i3, i4])
        )
        new["T"][i1, i3, i4, i2] = th[i1, i2] * E(times(u(i1, i3), u(i2, i4))) + r * (
            sum(F[ρ, i1, κ, i2] * E(d(u(i1, i3), ρ)) * E(d(u(i2, i4), κ)) for ρ, κ in two)
            + c_w * p(i2, i4) * sum(Q[i2, i4, i1, ρ] * E(d(u(i1, i3), ρ)) for ρ in range(2))
            + c_w * p(i1, i3) * sum(Q[i1, i3, i2, κ] * E(d(u(i2, i4), κ)) for κ in range(2))
            + c_w**2 * p(i1, i3) * p(i2, i4) * T[i1, i3, i4, i2]
        )
        new["U"][i1, i4, i2, i3] = c_w**2 * (
            th[i1, i2] * th[i1, i3] * th[i2, i4] * E(times(s(i1, 2), s(i2, 2), s(i3, 1), s(i4, 1)))
            + r * p(i1, i4) * p(i2, i3) * U[i1, i4, i2, i3]
        )
    for i0, i1, i2, i3 in four:
        new["P"][i0, i1, i2, i3] = c_w**2 * (
            th[i0, i1] * th[i0, i2] * E(times(s(i0, 2), s(i1, 1), s(i2, 1), s(i3)))
            + r
            * p(i1, i2)
            * (
                E(times(s(i0, 2), s(i3))) * B[i0, i0, i1, i2]
                + sum(P[i0, i1, i2, ρ] * E(d(times(s(i0, 1), s(i3)), ρ)) for ρ in range(2))
            )
        )
        new["Q"][i0, i1, i2, i3] = c_w * (
            th[i0, i2] * E(times(u(i0, i1), s(i2, 1), s(i3)))
            + r
            * sum(
                E(d(times(s(i2, 1), s(i3)), κ))
                * (sum(F[ρ, i0, κ, i2] * E(d(u(i0, i1), ρ)) for ρ in range(2)) + c_w * p(i0, i1) * Q[i0, i1, i2, κ])
                for κ in range(2)
            )
        )
        new["R"][i0, i1, i2, i3] = c_w * (
            th[i0, i2] * th[i0, i3] * E(times(v(i0, i1), s(i2, 1), s(i3, 1)))
            + r
            * p(i2, i3)
            * (
                E(v(i0, i1)) * B[i0, i0, i2, i3]
                + sum(P[i0, i2, i3, ρ] * E(d(u(i0, i1), ρ)) for ρ in range(2))
                + c_w * p(i0, i1) * R[i0, i1, i2, i3]
            )
        )
    return new


def pair(a, b, lam, c_w, th):
    """lambda_W sigma'_a sigma'_b + C_W Theta_ab sigma''_a sigma''_b."""
    return plus((lam, times(s(a, 1), s(b, 1))), (c_w * th[a, b], times(s(a, 2), s(b, 2))))


def layers(x, widths, numbers, phi):
    """Tensors of all layers: widths n_0, ..., n_{L-1}; numbers (c_w, c_b, lambda_w, lambda_b) of each layer."""
    gram = x @ x.T / x.shape[1]
    c_w, c_b, lam, lam_b = numbers[0]
    t = {"K": c_b + c_w * gram, "Theta": lam_b + lam * gram}
    t |= {name: np.zeros((2, 2)) for name in ("G1", "H1")} | {name: np.zeros((2,) * 4) for name in "VDFABPQRSTU"}
    found = [t]
    for l, (c_w, c_b, lam, lam_b) in enumerate(numbers[1:], 1):
        r = widths[l] / widths[l - 1] if l > 1 else 0.0
        found.append(step(found[-1], c_w, c_b, lam, lam_b, r, phi))
    return found
