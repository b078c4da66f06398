"""The study of emergent equivariance: ensembles without symmetry that learn one from augmented data."""

from ...piece import Get, Piece
from ..study import Page, TheoryStudy
from . import cross, deviations_page, fashion, fashion_page, ising, turns
from .config import PRESETS, Emergent, check


def pieces(config: Emergent) -> list[Piece]:
    """Of all four parts, in the order in which they are done."""
    return [piece for part in (ising, cross, fashion, turns) for piece in part.pieces(config)]


def page(config: Emergent, get: Get) -> Page:
    """All sections, from finished pieces."""
    sections = (
        deviations_page.ising_section(config, get),
        deviations_page.cross_section(config, get),
        fashion_page.fashion_section(config, get),
        fashion_page.turns_section(config, get),
    )
    return Page(f"{deviations_page.summary(config, get)}; {fashion_page.summary(config, get)}.", sections)


STUDY = TheoryStudy(
    name="emergent-equivariance",
    title="Emergent equivariance of deep ensembles",
    claim=(
        "Infinitely many infinitely wide networks trained on full orbits of a group have an exactly equivariant mean, "
        "for every input and at every moment of training, though no member is equivariant; the mean of M members "
        "deviates as M to the power -1/2."
    ),
    presets=PRESETS,
    check=check,
    pieces=pieces,
    page=page,
    minutes={"full": 8.6},
    citations=(
        ("Gerken and Kessel, Emergent Equivariance in Deep Ensembles (2024)", "https://arxiv.org/abs/2403.03103"),
        ("Misof, Kessel and Gerken, Equivariant Neural Tangent Kernels (2024)", "https://arxiv.org/abs/2406.06504"),
        (
            "Nordenfors and Flinth, Ensembles provably learn equivariance through data augmentation (2024)",
            "https://arxiv.org/abs/2410.01452",
        ),
    ),
)
