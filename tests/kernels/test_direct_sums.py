"""Kernels against sums written out site by site in NumPy, with closed forms of their own."""

import itertools
import math

import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp_and_ntk
from equitangents.nets import (
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Parallel,
    Relu,
    Residual,
    Serial,
)

# A state is (sites, c, t): the covariance c and the tangent kernel t of all pairs (input, site), inputs slower.


def sites_of(shape):
    return list(itertools.product(*map(range, shape)))


def relu_moments(c):
    r = np.sqrt(np.diag(c))
    cosine = c / np.outer(r, r)
    angle = np.arccos(np.where(cosine > 1 - 1e-14, 1, cosine))  # rounding of a cosine of 1 would be an angle of 1e-8
    first = np.outer(r, r) * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
    return first, (math.pi - angle) / (2 * math.pi)


def erf_moments(c):
    v = np.diag(c)
    norm = np.outer(1 + 2 * v, 1 + 2 * v)
    return 2 / math.pi * np.arcsin(2 * c / np.sqrt(norm)), 4 / math.pi / np.sqrt(norm - 4 * c**2)


def reads(size, window, step, padding):
    """For one axis: for each output site the sites that it reads, None where it reads the zeros outside."""
    outputs = (size - window) // step + 1 if padding == "VALID" else math.ceil(size / step)
    before = 0 if padding == "VALID" else max((outputs - 1) * step + window - size, 0) // 2
    rows = []
    for out in range(outputs):
        row = [out * step + offset - before for offset in range(window)]
        rows.append([i % size if padding == "CIRCULAR" else (i if 0 <= i < size else None) for i in row])
    return rows


def reading(shape, window, steps, padding):
    """New shape, and for each new site the list of the old sites (or None) that each offset reads."""
    axes = [reads(*a, padding) for a in zip(shape, window, steps, strict=True)]
    new = tuple(len(axis) for axis in axes)
    lists = []
    for site in sites_of(new):
        rows = itertools.product(*(axis[i] for axis, i in zip(axes, site, strict=True)))
        lists.append([None if None in row else row for row in rows])
    return new, lists


def moved(k, shape, lists, together):
    """Average over windows: both sites at one offset (convolution), or each at its own (pool)."""
    number = {site: i for i, site in enumerate(sites_of(shape))}
    old, new = len(number), len(lists)
    out = np.zeros((2 * new, 2 * new))
    for a, b in itertools.product(range(2), repeat=2):
        for s, t in itertools.product(range(new), repeat=2):
            both = zip(lists[s], lists[t], strict=True) if together else itertools.product(lists[s], lists[t])
            values = [0 if None in pair else k[a * old + number[pair[0]], b * old + number[pair[1]]] for pair in both]
            out[a * new + s, b * new + t] = np.mean(values)
    return out


def weights(layer, state):
    shape, c, t = state
    w, b = layer.sigma_w**2, layer.sigma_b**2
    rate_w = w if layer.lambda_w is None else layer.lambda_w
    rate_b = b if layer.lambda_b is None else layer.lambda_b
    return shape, w * c + b, rate_w * c + rate_b + w * t


def direct(layer, state):
    shape, c, t = state
    match layer:
        case Serial():
            for inside in layer.layers:
                state = direct(inside, state)
            return state
        case Residual():
            _, c2, t2 = direct(layer.layer, state)
            return shape, c + c2, t + t2
        case Parallel():
            parts = [direct(inside, state) for inside in layer.layers]
            return parts[0][0], sum(p[1] for p in parts), sum(p[2] for p in parts)
        case Dense():
            return weights(layer, state)
        case Relu() | Erf():
            first, second = (relu_moments if isinstance(layer, Relu) else erf_moments)(c)
            return shape, first, second * t
        case LayerNorm():
            scale = 1 / np.sqrt(np.diag(c))
            return shape, c * np.outer(scale, scale), t * np.outer(scale, scale)
        case Conv() | AvgPool():
            conv = isinstance(layer, Conv)
            new, lists = reading(shape, layer.window, layer.steps, layer.padding)
            state = new, moved(c, shape, lists, conv), moved(t, shape, lists, conv)
            return weights(layer, state) if conv else state
        case Flatten() | GlobalAvgPool():
            lists = [sites_of(shape)]
            together = isinstance(layer, Flatten)
            return (), moved(c, shape, lists, together), moved(t, shape, lists, together)


FLAT = (Relu(), Flatten(), Dense(1, 1.1, 0.2))
POOLED = (GlobalAvgPool(), Dense(1))
NETS = {
    "mlp": (Serial(Dense(1, 1.4, 0.3), Relu(), Dense(1, 1.2, 0.1, 2.0, 0.3), Erf(), Dense(1, 0.9, 0.2)), (4,)),
    "residual": (Serial(Dense(1), Residual(Relu(), Dense(1, 0.8, 0.3)), Relu(), Dense(1)), (3,)),
    "parallel": (Serial(Parallel(Dense(1, 1.3), Serial(Dense(1), Relu(), Dense(1, 0.7, 0.4))), Erf(), Dense(1)), (3,)),
    "layer norm": (Serial(Dense(1, 1.3, 0.4), LayerNorm(), Relu(), Dense(1, 1.2), LayerNorm(), Erf(), Dense(1)), (3,)),
    "dense at sites": (Serial(Dense(1, 1.3, 0.4), Relu(), Dense(1)), (3, 2)),
    "1d same": (Serial(Conv(1, 3, sigma_b=0.3), Relu(), Conv(1, 2, sigma_w=1.2), *FLAT), (5, 2)),
    "1d same strided": (Serial(Conv(1, 3, 2, sigma_b=0.3), Relu(), Conv(1, 2, 2), *FLAT), (6, 2)),
    "1d even window": (Serial(Conv(1, 4), Relu(), Conv(1, 4, 3, "CIRCULAR"), Erf(), *POOLED), (7, 2)),
    "2d valid": (Serial(Conv(1, (2, 3), padding="VALID", sigma_b=0.2), Erf(), Conv(1, (2, 1)), *FLAT), (4, 4, 2)),
    "2d circular strided": (
        Serial(Conv(1, (3, 2), (1, 2), "CIRCULAR", 1.3), Relu(), Conv(1, (2, 2)), *FLAT),
        (3, 4, 2),
    ),
    "2d global pool": (
        Serial(Conv(1, (3, 3)), Relu(), Conv(1, (2, 2), sigma_b=0.3), Relu(), GlobalAvgPool(), Dense(1)),
        (3, 4, 2),
    ),
    "2d rates": (
        Serial(Conv(1, (3, 3), lambda_w=0.4, lambda_b=0.7), Relu(), Conv(1, (2, 2), lambda_w=0.0), *FLAT),
        (3, 3, 2),
    ),
    "3d": (Serial(Conv(1, (2, 1, 3), (1, 1, 2)), Relu(), Conv(1, (1, 2, 2), padding="VALID"), *FLAT), (3, 2, 4, 1)),
    "pool then flatten": (Serial(Conv(1, (3, 3)), Relu(), AvgPool((2, 2)), Conv(1, (2, 2)), *FLAT), (4, 4, 2)),
    "pool same": (Serial(Conv(1, 3), Relu(), AvgPool(3, 2, "SAME"), Conv(1, 2, sigma_b=0.2), *FLAT), (6, 2)),
    "pool same, then pairs": (
        Serial(Conv(1, 2), Relu(), AvgPool(3, 2, "SAME"), Dense(1), Relu(), GlobalAvgPool(), Dense(1)),
        (5, 2),
    ),
    "pool circular": (
        Serial(Conv(1, 3), Erf(), AvgPool(3, 1, "CIRCULAR"), Conv(1, 2), Relu(), AvgPool(2), Flatten(), Dense(1)),
        (4, 2),
    ),
    "pool twice": (
        Serial(Conv(1, 2), Relu(), AvgPool(2), Dense(1, 1.2, 0.1), Relu(), GlobalAvgPool(), Dense(1)),
        (6, 2),
    ),
    "nonlinear after global pool": (
        Serial(Conv(1, 2), Relu(), GlobalAvgPool(), Dense(1, 1.2, 0.1), *FLAT[::2]),
        (4, 2),
    ),
    "layer norm at sites": (
        Serial(Conv(1, 3, sigma_b=0.2), LayerNorm(), Relu(), Conv(1, 2), Erf(), GlobalAvgPool(), Dense(1)),
        (4, 2),
    ),
    "layer norm after a pool": (
        Serial(Conv(1, 3), Relu(), AvgPool(2), Conv(1, 2), LayerNorm(), Relu(), GlobalAvgPool(), Dense(1)),
        (4, 2),
    ),
    "residual conv": (Serial(Conv(1, 3), Residual(Relu(), Conv(1, 3, sigma_b=0.3)), *FLAT), (4, 2)),
    "parallel conv": (
        Serial(Parallel(Conv(1, 3), Conv(1, 1)), Relu(), AvgPool(2), Conv(1, 2), Relu(), GlobalAvgPool(), Dense(1)),
        (4, 2),
    ),
    "convolution as output": (Serial(Conv(1, (2, 2)), Relu(), Conv(1, (2, 1), sigma_b=0.2)), (2, 3, 2)),
    "pool as output": (Serial(Conv(1, 3), Relu(), AvgPool(2)), (4, 2)),
}


SLOW = ["residual", "layer norm", "1d same", "1d even window", "2d valid", "2d rates", "pool same", "pool twice"]
SLOW += ["layer norm at sites", "parallel conv"]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETS])
def test_kernels_agree_with_the_sum_over_sites(name, getkey):
    net, shape = NETS[name]
    x = jr.normal(getkey(), (2, *shape))
    flat = np.asarray(x).reshape(-1, shape[-1])
    c = flat @ flat.T / shape[-1]
    sites, c, t = direct(net, (shape[:-1], c, np.zeros_like(c)))
    size = math.prod(sites)
    for found, expected in zip(nngp_and_ntk(net, x), (c, t), strict=True):
        expected = expected.reshape(2, size, 2, size).transpose(0, 2, 1, 3).reshape(2, 2, *sites, *sites)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
