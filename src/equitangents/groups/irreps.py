r"""Irreducible representations of a finite group, from its multiplication table alone.

$$\frac{1}{|G|} \sum_g \chi(g)^* \chi'(g) = \delta_{\chi \chi'}, \qquad \sum_\chi d_\chi^2 = |G|, \qquad
P_\chi = \frac{d_\chi}{|G|} \sum_g \chi(g)^* \rho(g)$$
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from .action import Action
from .characters import characters, frobenius_schur
from .finite_group import FiniteGroup, check_group
from .irrep_names import mulliken
from .value import Value, content, frozen

KINDS = {1: "real", 0: "complex", -1: "quaternionic"}


class Irrep(Value):
    r"""An irreducible representation over the complex or the real numbers; made by `irreps`.

    Over the real numbers a "complex" one is the sum of $\chi$ and $\chi^*$, a "quaternionic" one is $\chi$ twice: both
    have twice the dimension of their constituent.

    Attributes:
        group: the group.
        name: as `irreps` says.
        character: $\mathrm{tr}\, \rho(g)$ of each element, shape (|G|,), read-only; real over the real numbers.
        kind: "real", "complex" or "quaternionic": Frobenius-Schur indicator 1, 0 or -1 of the constituent.
        constituent: the representation over the complex numbers that it is made of; over these, itself.
    """

    group: FiniteGroup
    name: str
    character: np.ndarray
    kind: str

    def __init__(self, group: FiniteGroup, name: str, character: Any, kind: str, constituent: "Irrep | None" = None):
        self._set(group=group, name=name, character=frozen(character), kind=kind, _constituent=constituent)

    def __repr__(self) -> str:
        return f"Irrep({self.group}, {self.name!r})"

    def _key(self) -> tuple[Any, ...]:
        return self.group, content(self.character)

    @property
    def constituent(self) -> "Irrep":
        return self.__dict__["_constituent"] or self

    @property
    def dim(self) -> int:
        """Dimension over the numbers it is irreducible over."""
        return round(self.character[self.group.identity].real)

    @functools.cached_property
    def matrices(self) -> np.ndarray:
        r"""Unitary (orthogonal over the real numbers) matrices $\rho(g)$, shape (|G|, dim, dim), read-only.

        They are real wherever `kind` is "real". Found in the regular representation: a self-adjoint element of the
        algebra of right translations, drawn once and for all, splits the part of this character into copies of it.

        Raises:
            RuntimeError: no copy could be told from the others.
        """
        if self.constituent is self:
            return frozen(_split_regular(self.group, self.character, self.kind == "real"))
        u = self.constituent.matrices
        return u if self.kind == "real" else frozen(np.block([[u.real, -u.imag], [u.imag, u.real]]))

    def project(self, action: Action, x: Shaped[Array | np.ndarray, "*shape"]) -> Shaped[Array, "*shape"]:
        r"""$P_\chi x$, the part of x, one example or a batch, that transforms as copies of this representation.

        The factor is $d / |G|$ over the complex numbers, where P may take real arrays to complex ones; over the real
        numbers it is that divided by $\langle \chi, \chi \rangle$.

        Raises:
            ValueError: an action of another group, or arrays that it does not act on.
        """
        if action.group != self.group:
            raise ValueError(f"expected an action of {self.group}; got one of {action.group}; take its irreps.")
        orbit = action.orbit(x)
        dtype = jnp.result_type(orbit, float)
        if np.iscomplexobj(self.character):
            dtype = np.result_type(dtype, np.complex64)  # complex128 for float64
        weights = jnp.asarray(projector_weights(self), dtype)
        return jnp.tensordot(weights, orbit.astype(dtype), 1, precision="highest")


def projector_weights(irrep: Irrep) -> np.ndarray:
    r"""$w(g)$ in $P = \sum_g w(g) \rho(g)$, shape (|G|,)."""
    norm = np.vdot(irrep.character, irrep.character).real / irrep.group.order
    return irrep.dim / round(norm) / irrep.group.order * irrep.character.conj()


def irreps(group: FiniteGroup, over: str = "complex") -> tuple[Irrep, ...]:
    r"""All irreducible representations, the trivial one first, by dimension.

    Names are Mulliken's: A, B, E for cyclic groups, A1, A2, B1, B2, E for dihedral ones, all named as C_nv, where 1 is
    even under the first reflection; the two halves of a real E of a cyclic group are 1E and 2E. Other groups have his
    letters A, E, T, G, H for dimensions 1 to 5, and numbers: for T, Td, O and I these are his names, with T1 that of
    vectors, in Td T2. A `SpatialGroup` with the inversion has the names of its rotations, with g or u for even or odd
    under it: vectors are T1u of Oh.

    Args:
        group: any finite group.
        over: "complex" or "real", the numbers that they are irreducible over. Real functions decompose over "real".

    Raises:
        TypeError: no group, such as its name.
        ValueError: another `over`.
        RuntimeError: the characters could not be told apart.

    >>> from equitangents.groups import point_group
    >>> [(irrep.name, irrep.dim, irrep.kind) for irrep in irreps(point_group("C4"))]
    [('A', 1, 'real'), ('B', 1, 'real'), ('1E', 1, 'complex'), ('2E', 1, 'complex')]
    >>> [(irrep.name, irrep.dim, irrep.kind) for irrep in irreps(point_group("D4"), over="real")]
    [('A1', 1, 'real'), ('A2', 1, 'real'), ('B1', 1, 'real'), ('B2', 1, 'real'), ('E', 2, 'real')]
    """
    check_group(group)
    if over not in ("complex", "real"):
        raise ValueError(f"expected over='complex' or over='real'; got {over!r}; choose the field.")
    return _complex(group) if over == "complex" else _real(group)


def character_table(group: FiniteGroup) -> np.ndarray:
    r"""Characters over the complex numbers, shape (irreps, classes), in the order of `irreps` and `conjugacy_classes`.

    >>> from equitangents.groups import symmetric
    >>> character_table(symmetric(3)).real.astype(int).tolist()  # of e, (1 2), (0 1 2)
    [[1, 1, 1], [1, -1, 1], [2, 0, -1]]
    """
    check_group(group)
    first = [members[0] for members in group.conjugacy_classes()]
    return np.array([irrep.character[first] for irrep in irreps(group)])


@functools.lru_cache(maxsize=32)
def _complex(group: FiniteGroup) -> tuple[Irrep, ...]:
    table = characters(group)
    kinds = [KINDS[i] for i in frobenius_schur(group, table)]
    return tuple(
        Irrep(group, name, character, kind)
        for name, character, kind in zip(mulliken(group, table), table, kinds, strict=True)
    )


@functools.lru_cache(maxsize=32)
def _real(group: FiniteGroup) -> tuple[Irrep, ...]:
    found = []
    for one in _complex(group):
        if one.kind == "complex":
            if one.name[0] == "1":  # with its conjugate, 2...
                found.append(Irrep(group, one.name[1:], 2 * one.character.real, one.kind, one))
        else:
            copies = 2 if one.kind == "quaternionic" else 1
            found.append(Irrep(group, one.name, copies * one.character.real, one.kind, one))
    return tuple(sorted(found, key=lambda irrep: irrep.dim))


def _split_regular(group: FiniteGroup, character: np.ndarray, real: bool) -> np.ndarray:
    dim = round(character[group.identity].real)
    if dim == 1:
        return (character.real if real else character).reshape(-1, 1, 1)
    quotients = group.table[:, group.inverse]  # [g, h] -> g h^-1
    part = dim / group.order * character.conj()[quotients]
    left = group.table[group.inverse]  # [g, h] -> g^-1 h
    rng, best, chosen = np.random.default_rng(0), 0.0, None
    basis = np.linalg.qr((part.real if real else part) @ rng.normal(size=(group.order, dim**2)))[0]
    for _ in range(4):
        a = rng.normal(size=group.order) + (0 if real else 1j) * rng.normal(size=group.order)
        a = a + a[group.inverse].conj()
        values, vectors = np.linalg.eigh(basis.conj().T @ a[left] @ basis)
        gap = (values[dim] - values[dim - 1]) / np.ptp(values)
        if gap > best:
            best, chosen = gap, basis @ vectors[:, :dim]
    if chosen is None or best < 1e-6:
        raise RuntimeError(f"expected copies of a representation of {group} that can be told apart; the gap is {best}.")
    return chosen.conj().T @ chosen[left]
