"""Images made smaller or larger by linear maps that commute with quarter turns and flips."""

import numpy as np
from jaxtyping import Float

LUMA = (0.299, 0.587, 0.114)


def block_mean(x: Float[np.ndarray, "n h w c"], size: int) -> Float[np.ndarray, "n size size c"]:
    r"""Block means $z_{ij} = (b_h b_w)^{-1} \sum_{k < b_h, l < b_w} x_{i b_h + k,\, j b_w + l}$ ($b$: side / size).

    Args:
        x: images (n, height, width, channels).
        size: side of the result; divides height and width.

    Returns:
        Images (n, size, size, channels) in the precision of `x`.

    Raises:
        ValueError: `size` does not divide the sides.

    >>> import numpy as np
    >>> block_mean(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    n, h, w, c = x.shape
    if size < 1 or h % size or w % size:
        raise ValueError(f"block_mean expected a size that divides {h} x {w}, got {size}; use resize_images otherwise.")
    return x.reshape(n, size, h // size, size, w // size, c).mean(axis=(2, 4))


def resize_images(x: Float[np.ndarray, "n h w c"], size: int) -> Float[np.ndarray, "n size size c"]:
    r"""Square images $A x B^\top$ of another size: area means to shrink a side, linear interpolation to stretch it.

    Where `size` divides the sides this is `block_mean`. Each row of $A$ sums to one and $A$ reversed in both directions
    is $A$, so the map commutes with flips, and with quarter turns of square images, up to rounding.

    Args:
        x: images (n, height, width, channels).
        size: side of the result in pixels, at least 1.

    Returns:
        Images (n, size, size, channels) in the precision of `x`.

    Raises:
        ValueError: `size` is less than 1.
    """
    if size < 1:
        raise ValueError(f"resize_images expected a size of at least 1 pixel, got {size}; choose a positive one.")
    _, h, w, _ = x.shape
    if (h, w) == (size, size):
        return x
    rows, columns = _resampling(h, size).astype(x.dtype), _resampling(w, size).astype(x.dtype)
    return np.einsum("ih,nhwc,jw->nijc", rows, x, columns, optimize=True)


def with_channels(x: Float[np.ndarray, "n h w c"], channels: int) -> Float[np.ndarray, "n h w channels"]:
    """Grey from RGB by the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), or RGB from grey by repeating it."""
    if channels not in (1, 3):
        raise ValueError(f"channels: expected 1 (grey) or 3 (RGB), got {channels}; choose one of them.")
    given = x.shape[-1]
    if given == channels:
        return x
    if given not in (1, 3):
        raise ValueError(f"channels: expected images with 1 or 3 to convert, got {given}; leave `channels` unset.")
    return np.repeat(x, 3, axis=-1) if channels == 3 else (x @ np.array(LUMA, x.dtype))[..., None]


def check_square(x: np.ndarray, what: str) -> None:
    _, h, w, _ = x.shape
    if h != w:
        raise ValueError(f"{what}: expected square images, got {h} x {w}; crop them, or set resize to a side.")


def _resampling(n: int, size: int) -> np.ndarray:
    """The matrix (size, n) of one side; its numerators are integers, so that its symmetry is exact."""
    i, j = np.arange(size)[:, None], np.arange(n)[None, :]
    if size <= n:  # the part of pixel i, seen as [i n, (i+1) n], that pixel j, seen as [j size, (j+1) size], covers
        overlap = np.minimum((i + 1) * n, (j + 1) * size) - np.maximum(i * n, j * size)
        return np.maximum(overlap, 0) / n
    centre = np.clip((2 * i + 1) * n - size, 0, 2 * size * (n - 1))  # in units of 1/(2 size) of a pixel; edges repeat
    return np.maximum(2 * size - np.abs(centre - 2 * size * j), 0) / (2 * size)
