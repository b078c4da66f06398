"""Values: immutable, compared and hashed by what they contain, so that they may be static under `jax.jit`."""

from typing import Any, NoReturn

import numpy as np


class Value:
    """Base of groups, subgroups and actions: equal when of one type with equal `_key()`; attributes cannot be set."""

    def _key(self) -> tuple[Any, ...]:
        raise NotImplementedError(f"{type(self).__name__} has no key to be compared by; define _key.")

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable, so {name} cannot be set; construct a new value.")

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self._key() == other._key())

    def __hash__(self) -> int:
        if "_hash" not in self.__dict__:
            self._set(_hash=hash((type(self).__name__, self._key())))
        return self.__dict__["_hash"]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_hash"}  # hashes of strings differ between processes


def frozen(array: Any, dtype: Any = None) -> np.ndarray:
    """A read-only copy of `array`."""
    copy = np.array(array, dtype=dtype)
    copy.setflags(write=False)
    return copy


def content(array: np.ndarray) -> tuple[Any, ...]:
    """What an array contains, as a hashable key."""
    return array.shape, array.dtype.str, array.tobytes()
