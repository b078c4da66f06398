"""Inputs and targets as a network wants them; each map commutes with every permutation of pixels."""

import numpy as np
from jaxtyping import Float, Integer


def standardise(x_train: Float[np.ndarray, "..."], *others: Float[np.ndarray, "..."]) -> tuple[np.ndarray, ...]:
    r"""$(x - \mu) / \sigma$ with one scalar mean and standard deviation, those of all entries of `x_train`.

    Args:
        x_train: training inputs, any shape.
        others: further inputs, shifted and scaled by the same two numbers.

    Returns:
        `x_train` and the others, standardised, each in its own precision; always a tuple.

    Raises:
        ValueError: `x_train` is constant or empty.

    >>> import numpy as np
    >>> train, test = standardise(np.array([0.0, 2.0]), np.array([4.0]))
    >>> train.tolist(), test.tolist()
    ([-1.0, 1.0], [3.0])
    """
    if x_train.size == 0:
        raise ValueError(f"standardise expected training inputs, got none (shape {x_train.shape}); pass some.")
    mean, std = moments(x_train)
    if not std > 0:
        raise ValueError(f"standardise expected inputs that vary, got all equal to {mean:.6g}; check the data.")
    return tuple((x - x.dtype.type(mean)) / x.dtype.type(std) for x in (x_train, *others))


def one_hot_centred(y: Integer[np.ndarray, " n"], classes: int, dtype: type = np.float64) -> Float[np.ndarray, "n k"]:
    r"""Targets $\delta_{y_i c} - 1/k$ for $k$ classes: they sum to zero, so no class is favoured at initialisation.

    Args:
        y: labels (n,), from 0 to classes - 1.
        classes: their number, at least 2.
        dtype: precision of the targets.

    Returns:
        Targets (n, classes).

    Raises:
        ValueError: fewer than 2 classes, or a label outside them.

    >>> import numpy as np
    >>> one_hot_centred(np.array([0, 1]), 2).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    if classes < 2:
        raise ValueError(f"one_hot_centred expected at least 2 classes, got {classes}; a single class has no targets.")
    if y.size and (y.min() < 0 or y.max() >= classes):
        worst = y.min() if y.min() < 0 else y.max()
        raise ValueError(f"one_hot_centred expected labels from 0 to {classes - 1}, got {worst}; check `classes`.")
    return np.eye(classes, dtype=dtype)[y] - np.dtype(dtype).type(1 / classes)


def noise_like(x: Float[np.ndarray, "*shape"], seed: int) -> Float[np.ndarray, "*shape"]:
    r"""Off-manifold inputs: independent $N(\mu, \sigma^2)$ entries with the scalar mean and variance of `x`.

    Their law is invariant under every permutation of pixels, hence under every rotation and flip.

    Args:
        x: inputs, any shape.
        seed: of NumPy's default generator; the same seed gives the same noise.

    Returns:
        Noise of the shape and precision of `x`.

    Raises:
        ValueError: `x` is empty.
    """
    if x.size == 0:
        raise ValueError(f"noise_like expected inputs to imitate, got none (shape {x.shape}); pass some.")
    mean, std = moments(x)
    return np.random.default_rng(seed).normal(mean, std, x.shape).astype(x.dtype)


def moments(x: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all entries."""
    return float(x.mean(dtype=np.float64)), float(x.std(dtype=np.float64))  # float32 sums drift over 1e7 pixels
