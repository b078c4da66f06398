"""What the layers over a group of rotations share."""

from typing import Any

import equinox as eqx

from ..nets import AbstractLayer, AbstractWeighted
from ..nets.base import Scalar, Shape, check_shape
from .groups import AbstractRotations


class AbstractOverRotations(AbstractLayer):
    """A layer on functions on a sampled group of rotations, examples (group.size, channels)."""

    group: eqx.AbstractVar[AbstractRotations]


class AbstractRotationWeights(AbstractWeighted):
    """A layer with weights that ends in a function on a sampled group of rotations."""

    group: AbstractRotations = eqx.field(static=True)
    width: int = eqx.field(static=True)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def fan_in(self, shape: Shape) -> int:
        return shape[-1]


def check_group(owner: AbstractLayer, group: Any) -> None:
    """Raise unless `group` is one of rotations."""
    if not isinstance(group, AbstractRotations):
        raise TypeError(f"{type(owner).__name__}: expected a group SO2(order) or SO3(order), got {group!r}.")


def check_on_group(owner: AbstractLayer, group: AbstractRotations, shape: Shape) -> None:
    """Raise unless examples of `shape` are functions at the nodes of the group."""
    check_shape(owner, shape, sites=1)
    if shape[0] != group.size:
        raise ValueError(
            f"{type(owner).__name__} acts on functions over {group}, so expected sites ({group.size},), got "
            f"{tuple(shape[:-1])}; lift the signal with RotationLift({group}, ...) first."
        )


def check_lifted(owner: AbstractLayer, group: AbstractRotations, k: Any) -> None:
    """Raise unless the kernel holds one row over the group's nodes, or all pairs, as RotationLift makes it."""
    if k.sites != (group.size,) and not (k.sites == (1,) and k.k12.shape[-1] == group.size + 1):
        raise ValueError(
            f"{type(owner).__name__} acts on functions over {group}; lift the signal with RotationLift({group}, ...) "
            f"first, got a kernel at sites {k.sites} with covariances of shape {k.k12.shape}."
        )
