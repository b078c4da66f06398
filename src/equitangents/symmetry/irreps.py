r"""The tangent kernel on full orbits, block by block of the irreducible representations of the group.

On values $F(g, i) = \rho_Y(g)^{-1} f(\rho(g) x_i)$ the group acts by $F(g, i) \to F(h^{-1} g, i)$, whatever the
action on inputs and outputs, and a jointly invariant kernel by $c_{ij}(u) = \Theta(x_i, \rho(u) x_j)$:

$$(\Theta F)(g, i) = \sum_{u, j} c_{ij}(u) \rho_Y(u) F(gu, j), \qquad
\hat\Theta_\chi = \sum_u c(u) \otimes \rho_Y(u) \otimes U_\chi(u)$$
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.checks import check_finite, check_spectrum
from ..dynamics.regression import as_kernel, evaluate
from ..dynamics.spectrum import resolution
from ..groups import Action, FiniteGroup, Irrep, irreps
from ..groups.finite_group import check_group
from ..groups.irreps import projector_weights
from .checks import check_action, check_batch, check_same_group


class IrrepBlock(NamedTuple):
    r"""What the kernel does to the functions of one irreducible representation over the real numbers.

    Attributes:
        irrep: the representation.
        values: eigenvalues of the NTK on the orbits, decreasing, shape (m,).
        multiplicity: how often the symmetry repeats each of them: the dimension of the representation (half of it for
            quaternionic ones, whose eigenvalues also stand twice in `values`).
        variance: $\phi_k^T K \phi_k$, the variance over initialisations of the coefficient of f_0 along each
            eigenfunction, from the NNGP; shape (m,).
        vectors: of the blocks, shape (m, n, outputs, d), with d the dimension over the complex numbers.
    """

    irrep: Irrep
    values: np.ndarray
    multiplicity: int
    variance: np.ndarray
    vectors: np.ndarray


class IrrepSpectrum(NamedTuple):
    """Spectrum and eigenfunctions of the NTK on full orbits, as `irrep_spectrum` makes them.

    Attributes:
        blocks: one for each irreducible representation over the real numbers, in the order of `groups.irreps`.
        order: |G|.
        output: shape of one output where its action is not trivial; else None.
    """

    blocks: tuple[IrrepBlock, ...]
    order: int
    output: tuple[int, ...] | None

    @property
    def examples(self) -> int:
        """n, the number of orbits."""
        return self.blocks[0].vectors.shape[1]

    def functions(self, block: int, k: int) -> np.ndarray:
        """Orthonormal eigenfunctions of eigenvalue k of a block, shape (multiplicity, |G|, n, *output).

        They are real, except for quaternionic representations.
        """
        irrep, _, _, _, vectors = self.blocks[block]
        u = irrep.constituent.matrices
        found = np.sqrt(u.shape[-1] / self.order) * np.einsum("gac,jpc->agjp", u, vectors[k])
        if irrep.kind == "complex":
            found = np.sqrt(2) * np.concatenate([found.real, found.imag])
        return found.reshape(*found.shape[:3], *(self.output or ()))

    def coefficients(self, values: ArrayLike) -> list[np.ndarray]:
        """Inner products with the eigenfunctions, for each block an array (multiplicity, m, *rest).

        Args:
            values: on the orbits, as `outputs_on_orbit` gives them, shape (|G|, n, *output, *rest); of outputs that do
                not transform all axes belong to the rest, as those of times or of networks do.

        Raises:
            ValueError: another shape.
        """
        f = _check_values(values, (self.order, self.examples, *(self.output or ())))
        rest = f.shape[2 + len(self.output or ()) :]
        f = f.reshape(self.order, self.examples, self.blocks[0].vectors.shape[2], -1)
        found = []
        for irrep, _, _, _, vectors in self.blocks:
            u = irrep.constituent.matrices
            transform = np.einsum("gac,gjpr->acjpr", u.conj(), f, optimize=True)
            c = np.sqrt(u.shape[-1] / self.order) * np.einsum(
                "kjpc,acjpr->akr", vectors.conj(), transform, optimize=True
            )
            if irrep.kind == "complex":
                c = np.sqrt(2) * np.concatenate([c.real, -c.imag])
            found.append(c.reshape(*c.shape[:2], *rest))
        return found


def irrep_spectrum(
    kernel: Any,
    x: ArrayLike,
    action: Action,
    *,
    target: Action | None = None,
    output: tuple[int, ...] | None = None,
) -> IrrepSpectrum:
    r"""Eigenvalues and eigenfunctions of the NTK on the orbits of x, for each irreducible representation.

    The Gram matrix of the |G| n images commutes with the group. Only its n rows of the examples themselves are
    evaluated, and each representation, of dimension d over the complex numbers, is one eigenproblem of size n d,
    instead of one of size |G| n for all. Eigenvalues that cannot be told from zero, below about 10 eps of the largest,
    are zero: those of repeated images, of examples with a symmetry of their own.

    Args:
        kernel: a description of a network, or any function (x1, x2=None) -> (nngp, ntk), jointly invariant:
            $k(\rho(g) x_1, \rho(g) x_2) = k(x_1, x_2)$. Kernels of equivariant networks are; of these only the trivial
            representation has eigenvalues other than zero.
        x: the examples, shape (n, *example); not their images.
        action: how the group acts on the inputs.
        target: on one output, of the same group, orthogonal; None: outputs do not change, each is decomposed alike.
        output: shape of one output; with `target`, and only then.

    Returns:
        Named tuple of blocks: NumPy arrays in double precision, as far as that of the kernel reaches.

    Raises:
        ValueError: a kernel that is not jointly invariant, shapes or groups that do not fit.
        TypeError: `action` or `target` is no Action, `kernel` neither description nor function.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> linear = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> found = irrep_spectrum(linear, jnp.array([[2.0, 1.0]]), swap)
    >>> [(block.irrep.name, block.values.tolist()) for block in found.blocks]  # of (x1 + x2) and of (x1 - x2)
    [('A', [9.0]), ('B', [1.0])]
    """
    group, x = check_action("action", action).group, jnp.asarray(x)
    check_batch("x", action, x)
    rho = _target_matrices(action, target, output)
    orbit = action.orbit(x).reshape(-1, *x.shape[1:])
    pair = evaluate(as_kernel(kernel), x, orbit)
    nngp, ntk = (_correlation(name, k, group) for name, k in zip(("nngp", "ntk"), pair, strict=True))
    blocks = tuple(_block(irrep, nngp, ntk, rho) for irrep in irreps(group, "real"))
    values = np.sort(np.concatenate([block.values for block in blocks])).astype(ntk.dtype)
    check_spectrum(jnp.asarray(values))
    noise = float(resolution(values))
    blocks = tuple(block._replace(values=np.where(block.values > noise, block.values, 0)) for block in blocks)
    return IrrepSpectrum(blocks, group.order, output)


def irrep_power(outputs: ArrayLike, group: FiniteGroup) -> Float[Array, " irreps"]:
    r"""$\sum_i |P_\chi F(\cdot, i)|^2$: how much of a function on orbits each irreducible representation holds.

    Of residuals, half of it is the loss (sum over images) in each representation. A pure JAX function: map it over
    times and networks with `jax.vmap`.

    Args:
        outputs: on orbits, shape (|G|, n, *output), as `outputs_on_orbit` gives them.
        group: the group.

    Returns:
        In the order of `groups.irreps(group, "real")`; their sum is that of all squares.

    Raises:
        ValueError: another shape.

    >>> from equitangents.groups import cyclic
    >>> irrep_power(jnp.array([[2.0], [1.0]]), cyclic(2)).tolist()  # of (3/2, 3/2) and of (1/2, -1/2)
    [4.5, 0.5]
    """
    check_group(group)
    outputs = jnp.asarray(outputs)
    if outputs.ndim < 2 or len(outputs) != group.order:
        raise ValueError(
            f"expected outputs on orbits of {group}, shape ({group.order}, n, ...); got {outputs.shape}; "
            "make them with outputs_on_orbit."
        )
    flat = outputs.reshape(group.order, -1)
    return gram_power(jnp.matmul(flat, flat.T, precision="highest"), group)


def gram_power(gram: Float[Array, "order order"], group: FiniteGroup) -> Float[Array, " irreps"]:
    r"""$\mathrm{tr}(P_\chi M)$ in the regular representation, where P has the entries $w(g h^{-1})$."""
    quotients = group.table[:, group.inverse]
    weights = np.array([projector_weights(irrep)[quotients] for irrep in irreps(group, "real")])
    return jnp.einsum("xgh,gh->x", jnp.asarray(weights, gram.dtype), gram, precision="highest")


def _block(irrep: Irrep, nngp: np.ndarray, ntk: np.ndarray, rho: np.ndarray) -> IrrepBlock:
    u = irrep.constituent.matrices
    d = u.shape[-1]

    def transform(c: np.ndarray) -> np.ndarray:
        n, size = c.shape[0], c.shape[0] * rho.shape[1] * d
        moved = np.einsum("gpq,gac->gpaqc", rho, u).reshape(len(rho), -1)
        block = np.tensordot(c, moved, (1, 0)).reshape(n, n, rho.shape[1], d, rho.shape[1], d)
        return block.transpose(0, 2, 3, 1, 4, 5).reshape(size, size)

    values, vectors = np.linalg.eigh(transform(ntk))
    values, vectors = values[::-1], vectors[:, ::-1]
    variance = np.einsum("sk,sk->k", vectors.conj(), transform(nngp) @ vectors).real
    multiplicity = irrep.dim // 2 if irrep.kind == "quaternionic" else irrep.dim
    return IrrepBlock(irrep, values, multiplicity, variance, vectors.T.reshape(-1, len(ntk), rho.shape[1], d))


def _correlation(name: str, k: Array, group: FiniteGroup) -> np.ndarray:
    """c[i, u, j] = k(x_i, u x_j), symmetric in the sense that c[i, u, j] = c[j, u^-1, i] if k is jointly invariant."""
    c = np.asarray(k).reshape(len(k), group.order, -1)
    mirror = c[:, group.inverse].transpose(2, 1, 0)
    gap, scale = np.abs(c - mirror).max(), np.abs(c).max()
    if gap > np.sqrt(np.finfo(c.dtype).eps) * scale:
        raise ValueError(
            f"expected a jointly invariant {name}, k(gx1, gx2) = k(x1, x2) for g in {group}; got values that differ "
            f"by {gap:.3g} beside {scale:.3g}. Use a footprint and an action that keep the law of the first layer, or "
            "average the kernel over the group."
        )
    return (c + mirror) / 2


def _target_matrices(action: Action, target: Action | None, output: tuple[int, ...] | None) -> np.ndarray:
    if (target is None) != (output is None):
        raise ValueError(
            f"expected target and output together; got target={target}, output={output}; give the shape of one output."
        )
    if target is None or output is None:
        return np.ones((action.group.order, 1, 1))
    check_same_group("action", action, "target", check_action("target", target))
    if not target.is_orthogonal:
        raise ValueError(f"expected target to keep norms; got {target}; choose a basis in which it is orthogonal.")
    target.check_shape(output)
    size = int(np.prod(output))
    moved = target.orbit(jnp.eye(size).reshape(size, *output))  # [g, q] -> rho(g) e_q
    return np.asarray(moved).reshape(-1, size, size).swapaxes(1, 2)


def _check_values(values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    f = np.asarray(values)
    if f.shape[: len(shape)] != shape:
        raise ValueError(
            f"expected values on orbits of shape {shape}, more axes after these; got {f.shape}; "
            "make them with outputs_on_orbit."
        )
    check_finite("values on orbits", f)
    return f
