r"""Averages over all n! orders of the points of a set, in closed form where there is one."""

from ..nets import AbstractActivation, AbstractLayer, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual, Serial


def permutation_average(net: AbstractLayer) -> Serial:
    r"""The network whose kernels are the averages of those of `net` over all orders of the points, at infinite width.

    For features that are sums over points with weights of their own, $f(x) = \sum_s v_s \cdot \phi(x_s)$, as of layers
    that act on each point, `Flatten` and one `Dense`, the kernel is $k(x, x') = \frac1n \sum_s \kappa(x_s, x'_s)$, and
    $$\frac1{n!} \sum_\pi k(x, \pi x') = \frac1{n^2} \sum_{s, s'} \kappa(x_s, x'_{s'}) :$$
    that of `GlobalAvgPool` in the place of `Flatten`, a sum-decomposable network (Zaheer et al. 2017). n^2 terms for
    n!, and likewise for the tangent kernel.

    For networks that mix points before, such as `Flatten` first, the average is that of a nonlinear function of
    $\sum_s x_s \cdot x'_{\pi s}$ and has no such form: use `group_average` with `symmetric(n)` up to 6 points, and
    `sampled_average` with `random_permutation` beyond.

    Args:
        net: a `Serial` of layers on points, `Flatten`, and a last `Dense`; examples are (points, channels).

    Raises:
        ValueError: another network.

    References:
        Zaheer et al. (2017), arXiv:1703.06114, for sum-decomposable functions.

    >>> from equitangents.nets import Relu
    >>> permutation_average(Serial(Dense(64), Relu(), Flatten(), Dense(1)))
    Serial(Dense(64), Relu(), GlobalAvgPool(), Dense(1))
    """
    layers = net.layers if isinstance(net, Serial) else (net,)
    ends = len(layers) >= 3 and isinstance(layers[-2], Flatten) and isinstance(layers[-1], Dense)
    mixing = [layer for layer in layers[:-2] if not _acts_on_points(layer)]
    if not ends or mixing:
        found = f"{mixing[0]!r} before" if ends else f"{net!r}"
        raise ValueError(
            f"expected layers on points, then Flatten() and a last Dense; got {found}; use group_average with "
            "symmetric(n), or sampled_average with random_permutation."
        )
    return Serial(*layers[:-2], GlobalAvgPool(), layers[-1])


def _acts_on_points(layer: AbstractLayer) -> bool:
    if isinstance(layer, Residual):
        inside = layer.layer
        return all(map(_acts_on_points, inside.layers if isinstance(inside, Serial) else (inside,)))
    return isinstance(layer, Dense | LayerNorm | AbstractActivation)
