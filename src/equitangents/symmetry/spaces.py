r"""Which spaces of weights a group maps to themselves: filter footprints and linear spaces of layers.

Networks whose weights are confined to a space L learn a symmetry from augmented data exactly where L is invariant,
$\rho(g) L = L$, at any width (Nordenfors and Flinth 2024).
"""

from typing import Any

import numpy as np

from ..groups import Action, FiniteGroup, PointGroup, SpatialGroup


def support_is_invariant(mask: Any, group: FiniteGroup | Action) -> bool:
    r"""Whether the places of a filter that carry weights are mapped to one another by every element.

    This is condition (iii) of Nordenfors and Flinth for filters: the space of filters on the footprint is invariant.
    A `PointGroup` or `SpatialGroup` turns the offsets about the centre of the window, which need not be square; an
    offset that is turned off the lattice, as by the five-fold axes of the icosahedron, leaves the footprint. An
    `Action` moves arrays of the mask's own shape, as `permutation_action` does.

    Args:
        mask: true where there are weights, an array of booleans; two axes for a `PointGroup`, three for a
            `SpatialGroup`.
        group: see above.

    Raises:
        ValueError: a mask that is empty, not of booleans or on which the group does not act.
        TypeError: a group that says not how it acts.

    References:
        Nordenfors and Flinth (2024), arXiv:2410.01452.

    >>> from equitangents.groups import point_group
    >>> cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    >>> asymmetric = [[1, 1, 0], [1, 0, 1], [0, 1, 0]]
    >>> support_is_invariant(cross, point_group("C4")), support_is_invariant(asymmetric, point_group("C4"))
    (True, False)
    """
    mask = np.asarray(mask)
    if mask.ndim == 0 or not np.isin(mask, (0, 1)).all() or not mask.any():
        raise ValueError(f"expected a mask of true and false, true somewhere; got {mask.dtype} of shape {mask.shape}.")
    mask = mask.astype(bool)
    if isinstance(group, Action):
        group.check_shape(mask.shape)
        return all(np.array_equal(np.asarray(group(g, mask)), mask) for g in group.group.generators())
    if not isinstance(group, PointGroup | SpatialGroup):
        raise TypeError(
            f"expected a group of the plane or of space, or an Action on arrays of this shape; got {group!r}; "
            "use permutation_action."
        )
    axes = group.matrices.shape[-1]
    if mask.ndim != axes:
        raise ValueError(f"expected a mask of {axes} axes, on which {group} acts; got shape {mask.shape}.")
    offsets = 2 * np.argwhere(mask) - (np.array(mask.shape) - 1)  # doubled, so that they are whole for even sizes
    moved = np.einsum("gij,kj->gki", group.matrices, offsets).reshape(-1, axes)
    places = np.rint(moved).astype(int)
    return bool(np.abs(moved - places).max() < 1e-9) and {*map(tuple, places.tolist())} == {
        *map(tuple, offsets.tolist())
    }


def space_defect(basis: Any, action: Action) -> float:
    r"""$\max_g \|(1 - \Pi_L)\, \rho(g)\, \Pi_L\|_{op}$: 0 exactly if the space L is invariant; at most 1 if orthogonal.

    For a footprint, or any linear space in which the weights of a layer live (a mask, shared or tied weights, a low
    rank), $\Pi_L$ the orthogonal projector on it. With an offset, L = A_0 + span, $\rho(g) A_0 - A_0$ must lie in the
    span as well.

    Args:
        basis: arrays that span L, shape (k, *weights), on each of which the group acts.
        action: on arrays of shape `weights`.

    References:
        Nordenfors and Flinth (2024), arXiv:2410.01452.
    """
    span, moved = _spanned(basis, action)
    return float(max(np.linalg.norm(m - span @ (span.T @ m), ord=2) for m in moved))


def projection_commutator(basis: Any, action: Action) -> float:
    r"""$\|\Pi_L \Pi_G - \Pi_G \Pi_L\|_{op}$ with $\Pi_G = \frac1{|G|} \sum_g \rho(g)$, for orthogonal actions.

    It is 0 where L is invariant, but also for some spaces that are not: an L orthogonal to all invariant weights
    commutes with $\Pi_G$ whether invariant or not. For footprints, spanned by single places, both agree. Where it is 0,
    the stationary points of equivariant training are such of augmented training (Nordenfors, Ohlsson and Flinth 2023);
    the laws of trained weights need `space_defect` = 0.

    Args:
        basis, action: as for `space_defect`.

    Raises:
        ValueError: also for an action that is not orthogonal.

    References:
        Nordenfors, Ohlsson and Flinth (2023), arXiv:2303.13458.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> shift = permutation_action(cyclic(4), [[(i + g) % 4 for i in range(4)] for g in range(4)])
    >>> difference = [[1.0, -1.0, 0.0, 0.0]]
    >>> projection_commutator(difference, shift) < 1e-14, round(space_defect(difference, shift), 3)
    (True, 1.0)
    """
    span, _ = _spanned(basis, action)
    if not action.is_orthogonal:
        raise ValueError(f"expected an orthogonal action; got {action}; its average is no orthogonal projection.")
    shape = np.shape(basis)[1:]
    identity = np.eye(len(span)).reshape(-1, *shape)
    average = np.mean([np.asarray(action(g, identity)) for g in action.group.elements], axis=0)
    onto_group = average.reshape(len(span), -1).T
    onto_space = span @ span.T
    return float(np.linalg.norm(onto_space @ onto_group - onto_group @ onto_space, ord=2))


def _spanned(basis: Any, action: Action) -> tuple[np.ndarray, list[np.ndarray]]:
    """An orthonormal basis of the space, shape (d, rank), and where the elements move it."""
    arrays = np.asarray(basis, float)
    if not isinstance(action, Action):
        raise TypeError(f"expected an Action on the weights; got {action!r}; a group does not say how it acts.")
    if arrays.ndim < 2 or not arrays.any() or not np.isfinite(arrays).all():
        raise ValueError(
            f"expected finite arrays that span the space, (k, *weights), not all zero; got shape {arrays.shape}."
        )
    action.check_shape(arrays.shape[1:])
    vectors, values, _ = np.linalg.svd(arrays.reshape(len(arrays), -1).T, full_matrices=False)
    span = vectors[:, values > 1e-12 * values[0] * max(arrays.shape)]
    as_arrays = span.T.reshape(-1, *arrays.shape[1:])
    moved = [np.asarray(action(g, as_arrays)).reshape(len(as_arrays), -1).T for g in action.group.elements]
    return span, moved
