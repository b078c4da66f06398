"""The equality of augmented and equivariant training, from networks and images alone: no blocks, no averages."""

import functools

import jax.numpy as jnp
import numpy as np

from ...dynamics import GradientFlow
from ...equivariant import impose
from ...groups import image_action
from ...symmetry import augment
from ..piece import Arrays, Get, Piece
from ..precision import double, matrices
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_images import CASES, KERNELS, LARGEST, Case, about, items, moved

RIDGE = 1e-4  # of the mean diagonal of the equivariant kernel
EXAMPLES = 8


def check_pieces(config: KernelBenchmark) -> list[Piece]:
    """One for each case, with the largest group."""
    return [
        Piece(
            f"check-{case.name}",
            f"check {case.name}",
            (*about(config, case.data), repr(case.net), LARGEST.name, EXAMPLES, RIDGE),
            functools.partial(compare, config, case),
        )
        for case in CASES
    ]


def compare(config: KernelBenchmark, case: Case, get: Get) -> Arrays:
    """For (nngp, ntk), from two Gram matrices: of the group-convolutional network, and of the plain one on all images.

    `apart`: the largest difference of the two predictors on moved tests, relative to the largest prediction; `plain`:
    that of the plain predictor, trained on the same examples alone; `twin`: the largest difference of the equivariant
    kernel from the mean of the plain one over images of the second input, relative to its largest entry.
    """
    own, order = items(config, case.data), LARGEST.order
    n = min(EXAMPLES, len(own.x))
    x, x_test = own.x[:n], own.x_test[:n]
    y = (own.y[:n] - own.y[:n].mean())[:, None].astype(float)
    turns = np.random.default_rng(config.seed).integers(order, size=len(x_test))
    tests = np.concatenate([moved(LARGEST, int(g), one[None]) for g, one in zip(turns, x_test, strict=True)])
    with double():
        x_all, y_all = (np.asarray(z) for z in augment(x, y, image_action(LARGEST)))
    twin = matrices(impose(case.net, LARGEST, x.shape[1:]), np.concatenate([x, tests]))
    full = matrices(case.net, np.concatenate([x_all, tests]))
    apart, plain, mean = np.empty(len(KERNELS)), np.empty(len(KERNELS)), np.empty(len(KERNELS))
    for k in range(len(KERNELS)):
        ridge = RIDGE * float(np.mean(np.diagonal(twin[k][:n, :n])))
        equal = predicted(twin[k], y, ridge)
        augmented = predicted(full[k], y_all, ridge * order)
        alone = predicted(np.delete(np.delete(full[k], np.s_[n : n * order], 0), np.s_[n : n * order], 1), y, ridge)
        apart[k], plain[k] = (np.abs(one - equal).max() / np.abs(equal).max() for one in (augmented, alone))
        images = full[k][:n, : n * order].reshape(n, order, n).mean(1)
        mean[k] = np.abs(images - twin[k][:n, :n]).max() / np.abs(images).max()
    return {"apart": apart, "plain": plain, "twin": mean}


def predicted(k: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """The mean predictor at the end of training, from the kernel of training inputs and then tests."""
    n = len(y)
    with double():
        gram = jnp.asarray(k[:n, :n])
        flow = GradientFlow.from_gram(gram, gram, jnp.asarray(y), loss="sum", ridge=ridge)
        return np.asarray(flow.mean_from(jnp.asarray(k[n:, :n]), jnp.inf))
