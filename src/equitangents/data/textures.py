r"""Isotropic textures: Gaussian random fields on a periodic grid, a radial spectrum for each class.

$$x(u) = \sum_k \sqrt{S_c(|k|)}\; \hat w(k)\, e^{2 \pi i k u / n}$$

with white noise w. Frequencies k are integers in $[-n/2, n/2]$, and |k| does not change when k is turned by a quarter
or mirrored, nor the law of the field when it is moved: **textures are invariant in law under the eight symmetries of
the square grid, about any point, and under translations, exactly.** Under other rotations that holds in the continuum
only.

They stand in for histological slices, of which no package has a set. What they share is the absence of a preferred
orientation; they have no cells and no stains.
"""

import numpy as np

from .dataset import Dataset


def textures(n: int, side: int = 16, classes: int = 4, *, width: float = 0.5, seed: int = 0) -> Dataset:
    r"""Fields (n, side, side, 1) of mean 0 and, in law, variance 1, whose class is a ring of frequencies.

    The spectrum of class c is $S_c(q) \propto e^{-(q - q_c)^2 / 2 w^2}$ without q = 0, with $q_c$ at equal distances
    from 1 to side / 4.

    Args:
        n: how many, of each class as near as may be.
        side: in pixels, at least 5: the rings of a smaller one are the same.
        classes: at least 2.
        width: w; the wider, the more classes overlap.
        seed: of the fields and of their order.

    Returns:
        A `Dataset`; labels are the numbers of the rings.

    Raises:
        ValueError: numbers out of range.

    >>> textures(6, side=8)
    Dataset('textures', 6 examples of shape (8, 8, 1), 4 classes, no split)
    """
    if side < 5 or classes < 2 or n < classes or not width > 0:
        raise ValueError(
            f"textures: expected a side of at least 5, 2 classes, one field for each and a positive width, got "
            f"n={n}, side={side}, classes={classes}, width={width}."
        )
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    roots = np.sqrt([radial_spectrum(side, centre, width) for centre in np.linspace(1, side / 4, classes)])
    noise = np.fft.fft2(rng.standard_normal((n, side, side)))
    x = np.fft.ifft2(noise * roots[y]).real
    return Dataset(
        x[..., None],
        y.astype(np.int64),
        tuple(f"ring {c}" for c in range(classes)),
        name="textures",
        source=f"Gaussian random fields with {classes} radial spectra, drawn with seed {seed}.",
    )


def radial_spectrum(side: int, centre: float, width: float) -> np.ndarray:
    """A ring at the frequencies of `numpy.fft.fft2`, zero at zero frequency, of mean 1: then the variance is 1."""
    k = np.fft.fftfreq(side, 1 / side)
    q = np.hypot(k[:, None], k[None, :])
    ring = np.where(q > 0, np.exp(-((q - centre) ** 2) / (2 * width**2)), 0)
    return ring / ring.mean()
