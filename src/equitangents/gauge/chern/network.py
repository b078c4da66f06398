"""The network that learns Chern numbers: one number at each site, whose sum is the answer."""

from ...nets import Conv, Serial
from ...nets.base import AbstractLayer
from ..layers import GEBL, GEAct, GEConv, Plaquettes, Trace, TrNorm


def chern_network(channels: tuple[int, ...] = (16, 8, 8), *, norm: bool = True, reach: int = 0) -> Serial:
    """Blocks of a bilinear layer, an activation and a trace normalisation, then a linear function of traces.

    Args:
        channels: of each block. (32, 16, 8) is the largest network of the paper.
        norm: with `TrNorm` after each activation; without it features grow without bound from N = 4 on.
        reach: of a `GEConv` in a second branch of each block, merged by the bilinear layer; 0 for none.

    Returns:
        Links (*sites, D, N, N) to the flux through each site's plaquette, (*sites, 1), in units of 2 pi.

    References:
        Huang et al. (2025), arXiv:2502.15376, section 4.

    >>> chern_network((8,))
    Serial(Plaquettes(), GEBL(8), GEAct(), TrNorm(), Trace(), Conv(1, (1, 1), sigma_b=1.0))
    """
    if not channels:
        raise ValueError("expected at least one number of channels, got none; (16, 8, 8) is a good start.")
    blocks: list[AbstractLayer] = []
    for count in channels:
        branch = GEConv(count, reach) if reach else None
        blocks += [GEBL(count, two=branch), GEAct(), *([TrNorm()] if norm else [])]
    return Serial(Plaquettes(), *blocks, Trace(), Conv(1, (1, 1), sigma_b=1.0))
