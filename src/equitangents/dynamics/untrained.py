"""A warning where single precision leaves directions of the data untrained."""

import jax
import numpy as np
from jaxtyping import Array

from ..caller import warn_caller
from .spectrum import resolution


def warn_of_untrained(values: Array) -> None:
    """Warn of eigenvalues that float32 tells from zero, but that count as zero late in training.

    Above seven eps times the largest they are hardly zero modes of equal or symmetric inputs, see `resolution`.

    Args:
        values: (n,); nothing is said where they are traced or in float64.
    """
    if isinstance(values, jax.core.Tracer) or values.dtype != np.float32:
        return
    s = np.asarray(values)
    least = float(resolution(s))
    lost = int(np.sum((s > 7 * np.finfo(s.dtype).eps * s.max()) & (s <= least)))
    if lost:
        warn_caller(
            f"{lost} of {len(s)} directions of the training data are left untrained: their eigenvalues are below "
            f"{least / s.max():.1e} of the largest, where float32 has no digits. Use float64 "
            f"(jax.config.update('jax_enable_x64', True)), or a ridge of {2 * least:.1e} or more."
        )
