"""Learning curves of plain, augmented and equivariant kernels: the study `equivariant-kernel-benchmark`."""

from ..piece import Piece
from .kernel_benchmark_checks import check_pieces
from .kernel_benchmark_config import PRESETS, KernelBenchmark, check
from .kernel_benchmark_images import image_pieces
from .kernel_benchmark_page import page
from .kernel_benchmark_qm9 import qm9_pieces
from .study import TheoryStudy


def pieces(config: KernelBenchmark) -> list[Piece]:
    """Of images and textures, of the equality, and of molecules where they are there."""
    return image_pieces(config) + check_pieces(config) + qm9_pieces(config)


STUDY = TheoryStudy(
    name="equivariant-kernel-benchmark",
    title="What equivariant kernels save in data",
    claim="Training an infinitely wide network on all images of each example under a group is training with the "
    "equivariant kernel. Where the data have no orientation of their own, both need fewer examples than the plain "
    "network; as the images of an example teach at most what as many new examples would, by a factor of about |G| or "
    "less.",
    presets=PRESETS,
    check=check,
    pieces=pieces,
    page=page,
    minutes={"quick": 0.8, "full": 3.2},
    citations=(
        (
            "P. Misof, P. Kessel, J. E. Gerken: Equivariant neural tangent kernels (2024)",
            "https://arxiv.org/abs/2406.06504",
        ),
        ("J. E. Gerken, P. Kessel: Emergent equivariance in deep ensembles (2024)", "https://arxiv.org/abs/2403.03103"),
        (
            "S. Mei, T. Misiakiewicz, A. Montanari: Learning with invariances in random features and kernel models "
            "(2021)",
            "https://arxiv.org/abs/2102.13219",
        ),
        ("H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (2017)", "https://arxiv.org/abs/1708.07747"),
        (
            "R. Ramakrishnan, P. Dral, M. Rupp, A. von Lilienfeld: Quantum chemistry structures and properties of "
            "134 kilo "
            "molecules (2014)",
            "https://doi.org/10.1038/sdata.2014.22",
        ),
    ),
)
