"""Questions asked of arguments before anything is traced; arrays under a transformation are not looked at."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

LOSSES = ("sum", "mean")


def concrete(value: Any) -> np.ndarray | None:
    """The numbers of an array, or None where `jit`, `vmap` or `grad` hides them."""
    try:
        return np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        return None


def check_loss(loss: Any) -> None:
    """Raise unless `loss` names a squared loss."""
    if loss not in LOSSES:
        raise ValueError(
            f'expected loss="sum" (1/2 sum of squares over examples) or loss="mean" (that divided by their number); '
            f"got loss={loss!r}. Times and learning rates differ by the number of examples, so name one."
        )


def check_number(name: str, value: Any, *, low: float = 0.0, strict: bool = False) -> None:
    """Raise unless `value` is one finite number, at least `low` (above it where `strict`)."""
    bound = f"{'above' if strict else 'at least'} {low:g}"
    if isinstance(value, bool | str) or value is None or jnp.ndim(value):
        raise TypeError(f"expected {name} to be one number, {bound}; got {value!r}. Pass a float.")
    number = concrete(value)
    if number is None:
        return
    if not np.isfinite(number) or number < low or (strict and number == low):
        raise ValueError(f"expected {name} to be finite and {bound}; got {number}. Choose another value.")


def check_momentum(momentum: Any) -> None:
    """Raise unless `momentum` is a number in [0, 1)."""
    check_number("momentum", momentum)
    if (m := concrete(momentum)) is not None and m >= 1:
        raise ValueError(f"expected momentum in [0, 1); got {momentum}. Descent with momentum 1 never settles.")


def check_times(t: Any, *, whole: bool = False) -> None:
    """Raise unless `t` is a scalar or a vector of times in [0, inf]; of whole numbers, or inf, where `whole`."""
    name = "numbers of steps" if whole else "times t"
    if t is None:
        raise TypeError(f"expected {name} from 0 to inf; got None. Pass t=jnp.inf for the end of training.")
    if isinstance(t, str):
        raise TypeError(f"expected {name} from 0 to inf; got {t!r}. Pass a number, such as jnp.inf, not a string.")
    if jnp.ndim(t) > 1:
        raise ValueError(f"expected {name} as a scalar or a 1-D array; got shape {jnp.shape(t)}. Ravel it.")
    times = concrete(t)
    if times is None:
        return
    if np.isnan(times).any() or (times < 0).any():
        raise ValueError(f"expected {name} from 0 to inf; got {t}. Remove negative and NaN entries.")
    finite = times[np.isfinite(times)]
    if whole and (finite != np.round(finite)).any():
        raise ValueError(f"expected whole {name}; got {t}. Gradient descent is not defined between steps; round them.")


def check_finite(name: str, value: Any) -> None:
    """Raise where numbers that are known, not traced, are NaN or infinite."""
    numbers = concrete(value)
    if numbers is None or not np.issubdtype(numbers.dtype, np.inexact):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(numbers.sum()):  # twice as fast as looking at each
            return
    bad = numbers.size - int(np.isfinite(numbers).sum())
    if bad:
        raise ValueError(f"expected {name} to be finite; got {bad} NaN or infinite entries. Clean them first.")


def check_inputs(name: str, x: Any) -> Array:
    """`x` as an array with a leading axis of examples, at least one of them, all finite."""
    x = jnp.asarray(x)
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(
            f"expected {name} as a non-empty batch of shape (n, ...); got shape {x.shape}. "
            "Add examples or a batch axis."
        )
    check_finite(name, x)
    return x


def check_targets(y: Any, n: int, dtype: Any) -> Array:
    """`y` as an array of shape (n,) or (n, outputs) of the kernel's precision."""
    y = jnp.asarray(y)
    if y.ndim not in (1, 2) or y.shape[0] != n:
        raise ValueError(
            f"expected y_train of shape ({n},) or ({n}, outputs), one row an example; got shape {y.shape}. "
            "Match it to the training inputs."
        )
    if jnp.issubdtype(y.dtype, jnp.complexfloating):
        raise TypeError(f"expected real y_train; got {y.dtype}. Stack real and imaginary parts as two outputs.")
    check_finite("y_train", y)
    return y.astype(dtype)


def check_matrix(name: str, matrix: Any, shape: tuple[int, int]) -> Array:
    """A kernel between two batches as an array; raises unless it has this shape."""
    matrix = jnp.asarray(matrix)
    if matrix.shape != shape:
        raise ValueError(
            f"expected {name} of shape {shape}, one number for each pair of inputs; got shape {matrix.shape}. "
            "Rows are the first argument's examples; sum or select outputs first."
        )
    check_finite(name, matrix)
    return matrix


def check_gram(name: str, gram: Any) -> Array:
    """`gram` as a square, finite matrix of real floating-point numbers, symmetric to the last digit."""
    gram = jnp.asarray(gram)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.shape[0] == 0:
        raise ValueError(
            f"expected the training {name} as a square matrix (n, n); got shape {gram.shape}. "
            "Evaluate it on the training inputs alone, one number for each pair."
        )
    if not jnp.issubdtype(gram.dtype, jnp.floating):
        raise TypeError(f"expected the training {name} in floating point; got {gram.dtype}. Convert it.")
    numbers = concrete(gram)
    if numbers is None:
        return _symmetric(gram)
    scale = max(numbers.max(), -numbers.min())
    if not np.isfinite(scale):
        check_finite(f"the training {name}", gram)
    gap = _asymmetry(numbers)
    if gap > np.sqrt(np.finfo(numbers.dtype).eps) * scale:
        raise ValueError(
            f"expected a symmetric training {name}; got entries that differ from their mirror image by {gap:.3g}. "
            "Check that the kernel is symmetric, or average it with its transpose."
        )
    return _symmetric(gram) if gap > 0 else gram


def _asymmetry(matrix: np.ndarray, rows: int = 256) -> float:
    """The largest difference from the mirror image, by blocks that stay in cache."""
    starts = range(0, len(matrix), rows)
    blocks = [(slice(i, i + rows), slice(j, j + rows)) for i in starts for j in starts if i <= j]
    return max(float(np.abs(matrix[i, j] - matrix[j, i].T).max()) for i, j in blocks)


@jax.jit
def _symmetric(matrix: Array) -> Array:
    return (matrix + matrix.T) / 2


def check_spectrum(eigenvalues: Array) -> None:
    """Raise if a Gram matrix is indefinite by more than rounding."""
    numbers = concrete(eigenvalues)
    if numbers is None:
        return
    low, high = numbers[0], np.abs(numbers).max()
    if low < -np.sqrt(np.finfo(numbers.dtype).eps) * high:
        raise ValueError(
            f"expected a positive semidefinite training NTK; got an eigenvalue {low:.3g} beside the largest, "
            f"{high:.3g}. Check the kernel: it is no Gram matrix of gradients."
        )
