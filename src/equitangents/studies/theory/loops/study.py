"""What the study `wilson-loops` claims, and its presets."""

from ..study import TheoryStudy
from .config import LoopsConfig, check
from .page import page
from .work import pieces

STUDY = TheoryStudy(
    name="wilson-loops",
    title="Wilson loops: gauge equivariant networks against convolutional ones",
    claim=(
        "Layers that multiply parallel-transported matrices represent Wilson loops exactly, double their size with "
        "each layer, and hold on lattices of any size; a network on the entries of the links has to learn the gauge "
        "group first."
    ),
    presets={
        "quick": LoopsConfig(),
        "full": LoopsConfig(
            "full", sides=(8, 16, 32), train=512, test=64, sweeps=40, loops=4, steps=1500, seeds=3, width=64
        ),
    },
    check=check,
    pieces=pieces,
    page=page,
    minutes={"quick": 1.5, "full": 9.8},
    citations=(
        (
            "M. Favoni, A. Ipp, D. I. Müller, D. Schuh: Lattice gauge equivariant convolutional neural networks (2022)",
            "arXiv:2012.12901",
        ),
    ),
)
