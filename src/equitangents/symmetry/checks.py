"""Questions asked of arguments before anything is computed."""

from typing import Any

from jaxtyping import Array

from ..groups import Action


def check_action(name: str, action: Any) -> Action:
    """`action`, or a TypeError where it is none, such as the bare group."""
    if not isinstance(action, Action):
        raise TypeError(
            f"expected {name} as an Action, such as image_action(point_group('C4')); got {action!r}; "
            "a group alone does not say how it acts."
        )
    return action


def check_batch(name: str, action: Action, x: Array) -> None:
    """A ValueError unless `x` is a batch of at least one example on each of which `action` acts."""
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(
            f"expected {name} as a batch (n, ...) with n > 0; got shape {x.shape}; add an axis of examples."
        )
    action.check_shape(x.shape[1:])


def check_same_group(name1: str, action1: Action, name2: str, action2: Action) -> None:
    if action1.group != action2.group:
        raise ValueError(
            f"expected {name1} and {name2} of one group; got {action1.group} and {action2.group}; restrict the larger."
        )


def check_count(name: str, value: Any, low: int = 1) -> None:
    """Raise unless `value` is an integer, at least `low`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"expected {name} as an integer, at least {low}; got {value!r}; pass a whole number.")
    if value < low:
        raise ValueError(f"expected {name} to be at least {low}; got {value}; pass more.")


def check_orbit_outputs(outputs: Array, *, classes: bool, identity: int | None = None) -> None:
    """A ValueError unless `outputs` has axes (|G|, n, channels), or without channels where no classes are needed."""
    kind = "(|G|, n, classes) with at least 2 classes" if classes else "(|G|, n) or (|G|, n, channels)"
    ranks = (3,) if classes else (2, 3)
    if outputs.ndim not in ranks or 0 in outputs.shape or (classes and outputs.shape[-1] < 2):
        raise ValueError(
            f"expected outputs on orbits of shape {kind}; got shape {outputs.shape}; make them with outputs_on_orbit."
        )
    if identity is not None and not 0 <= identity < len(outputs):
        raise ValueError(f"expected the identity among the {len(outputs)} elements, from 0; got {identity}.")
