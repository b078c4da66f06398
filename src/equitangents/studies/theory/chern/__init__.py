"""Gauge equivariant networks that learn Chern numbers of topological insulators."""

from ..study import TheoryStudy
from .config import PRESETS, check
from .page import page
from .work import pieces

STUDY = TheoryStudy(
    name="chern",
    title="Networks that learn Chern numbers",
    claim=(
        "A Chern number is a sum of local functions of Wilson loops that no choice of basis changes. Gauge equivariant "
        "networks of bilinear layers can represent such functions, for any number of filled bands; they should learn "
        "the flux at each site from sums alone, and carry it to other lattices and to real band structures."
    ),
    presets=PRESETS,
    minutes={"full": 99},
    check=check,
    pieces=pieces,
    page=page,
    citations=(
        (
            "Huang, Balabanov, Linander, Granath, Persson and Gerken (2025), Learning Chern numbers of topological "
            "insulators with gauge equivariant neural networks",
            "https://arxiv.org/abs/2502.15376",
        ),
        ("Favoni, Ipp, Mueller and Schuh (2022), Lattice gauge equivariant CNNs", "https://arxiv.org/abs/2012.12901"),
        (
            "Fukui, Hatsugai and Suzuki (2005), Chern numbers in discretized Brillouin zone",
            "https://arxiv.org/abs/cond-mat/0503172",
        ),
    ),
)
