r"""Characters from the algebra of classes: a self-adjoint central element has the characters as eigenvectors."""

import numpy as np

from .finite_group import FiniteGroup

ATTEMPTS = 8


def characters(group: FiniteGroup) -> np.ndarray:
    r"""$\chi(g)$ of every irreducible representation over the complex numbers, shape (irreps, |G|).

    For $z = \sum_g c(g) g$ with c constant on classes, $z C_k = \sum_l M_{kl} C_l$ and the vectors
    $|C_l| \chi(C_l)$ are eigenvectors of M (Burnside). The eigenvectors found in floating point are then made exact: on
    an element of order m a character is a sum of m-th roots of unity with whole multiplicities, which are rounded.
    Sorted by dimension, the trivial one first, conjugate pairs last and together, then by values on elements of high
    order.

    Raises:
        RuntimeError: no element drawn tells all characters apart.

    References:
        Dixon (1967), Numerische Mathematik 10, 446, does the same in a finite field.
    """
    classes = group.conjugacy_classes()
    of_class = np.empty(group.order, int)
    for k, members in enumerate(classes):
        of_class[list(members)] = k
    sizes = np.array([len(members) for members in classes])
    first = np.array([members[0] for members in classes])
    inverse_class = of_class[group.inverse[first]]
    quotients = of_class[group.table[group.inverse][:, first]]  # [g, l] -> class of g^-1 r_l
    rng = np.random.default_rng(0)
    for _ in range(ATTEMPTS):
        c = rng.normal(size=len(classes)) + 1j * rng.normal(size=len(classes))
        c = (c + c[inverse_class].conj())[of_class]
        m = np.zeros((len(classes), len(classes)), complex)
        np.add.at(m, (quotients, np.arange(len(classes))), c[:, None])
        scale = np.sqrt(sizes)
        u = np.linalg.eigh(m / scale[:, None] * scale)[1]
        rows = (u * np.sqrt(group.order) / scale[:, None]).T
        identity = rows[:, [of_class[group.identity]]]
        exact = _sums_of_roots(group, rows * (identity.conj() / np.abs(identity)), first, of_class)
        if exact is not None and _orthonormal(exact, sizes):
            return _sorted(group, exact, first)[:, of_class]
    raise RuntimeError(f"expected the characters of {group} to differ on one of {ATTEMPTS} random central elements.")


def frobenius_schur(group: FiniteGroup, table: np.ndarray) -> list[int]:
    r"""$|G|^{-1} \sum_g \chi(g^2)$, 1 for real, 0 for complex, -1 for quaternionic representations."""
    squares = np.diagonal(group.table)
    return [round(value) for value in table[:, squares].mean(1).real]


def _sums_of_roots(group: FiniteGroup, rows: np.ndarray, first: np.ndarray, of_class: np.ndarray) -> np.ndarray | None:
    """The nearest sums of roots of unity, or None where the multiplicities are not whole to 1e-4."""
    exact = np.empty_like(rows)
    for k, g in enumerate(first):
        powers = [group.identity]
        while (power := group.table[powers[-1], g]) != group.identity:
            powers.append(power)
        counts = np.fft.fft(rows[:, of_class[powers]], axis=1) / len(powers)
        whole = np.rint(counts.real)
        if np.abs(counts - whole).max() > 1e-4 or whole.min() < 0:
            return None
        exact[:, k] = whole @ np.exp(2j * np.pi * np.arange(len(powers)) / len(powers))
    parts = exact.real, exact.imag
    re, im = (np.where(np.abs(part - np.rint(part)) < 1e-12, np.rint(part), part) for part in parts)
    return re + 1j * im + 0.0  # no negative zeros


def _orthonormal(rows: np.ndarray, sizes: np.ndarray) -> bool:
    gram = (rows * sizes) @ rows.conj().T / sizes.sum()
    return bool(np.abs(gram - np.eye(len(rows))).max() < 1e-9)


def _sorted(group: FiniteGroup, rows: np.ndarray, first: np.ndarray) -> np.ndarray:
    high = sorted(range(len(first)), key=lambda k: -group.element_order(int(first[k])))
    values = np.round(rows[:, high], 6) + 0.0

    def descending(row: np.ndarray) -> list[tuple[float, float]]:
        return [(-value.real, -value.imag) for value in row]

    def key(i: int) -> tuple[object, ...]:
        row, trivial, pair = values[i], bool((values[i] == 1).all()), bool((values[i].imag != 0).any())
        own = descending(row)
        return row.real.max(), not trivial, pair, min(own, descending(row.conj())), own

    return rows[sorted(range(len(rows)), key=key)]
