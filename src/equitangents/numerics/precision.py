"""float64 or float32 for a while, on every version of JAX, without a global flag."""

import contextlib

import jax


def double() -> contextlib.AbstractContextManager:
    """Arrays made inside are float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(True)


def single() -> contextlib.AbstractContextManager:
    """Arrays made inside are float32, also where the caller has set float64 for everything."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(False)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(False)
