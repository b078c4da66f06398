"""What the benchmark of equivariant kernels does, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelBenchmark:
    """Three data sets, each with training examples to draw from (the pool), test examples and training sizes.

    Attributes:
        preset: name.
        seed: of all draws.
        draws: random training sets of each size, nested: the smaller are part of the larger.
        resamples: of the bootstrap.
        ridges: in units of the mean diagonal of a kernel; leave-one-out errors choose.
        explicit: largest |G| n for which augmented training is solved on all its images.
        images: "fashion-mnist" or "digits".
        image_side: in pixels; 0 keeps them.
        image_pool, image_test, image_sizes: see above.
        texture_side, texture_classes, texture_pool, texture_test, texture_sizes: of random fields.
        molecule_pool, molecule_test, molecule_sizes: of QM9; a pool of 0 leaves it out.
        audited: molecules that the audit looks at.
        lmax, order: band limit of the densities, and of the quadrature over rotations.
        orbit_size, orbit_draws: training molecules, and draws, with several rotations of each.
        rotations: how many rotations of each.
    """

    preset: str = "quick"
    seed: int = 0
    draws: int = 8
    resamples: int = 1000
    ridges: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    explicit: int = 512
    images: str = "fashion-mnist"
    image_side: int = 7
    image_pool: int = 192
    image_test: int = 128
    image_sizes: tuple[int, ...] = (8, 16, 32, 64, 128)
    texture_side: int = 6
    texture_classes: int = 3
    texture_pool: int = 48
    texture_test: int = 64
    texture_sizes: tuple[int, ...] = (6, 12, 24)
    molecule_pool: int = 48
    molecule_test: int = 32
    molecule_sizes: tuple[int, ...] = (8, 16, 32)
    audited: int = 1000
    lmax: int = 3
    order: int = 3
    orbit_size: int = 16
    orbit_draws: int = 2
    rotations: tuple[int, ...] = (1, 2, 4, 8)


PRESETS = {
    "quick": KernelBenchmark(),
    "full": KernelBenchmark(
        preset="full",
        draws=16,
        explicit=1024,
        image_side=14,
        image_pool=448,
        image_test=384,
        image_sizes=(8, 16, 32, 64, 128, 256),
        texture_side=8,
        texture_classes=4,
        texture_pool=128,
        texture_test=256,
        texture_sizes=(8, 16, 32, 64),
        molecule_pool=224,
        molecule_test=112,
        molecule_sizes=(10, 20, 40, 80, 160),
        audited=4000,
        lmax=4,
        order=4,
        orbit_size=40,
        orbit_draws=4,
        rotations=(1, 2, 4, 8, 16),
    ),
}


def check(config: KernelBenchmark) -> None:
    """Raise ValueError, of one line, where the configuration makes no sense."""
    if config.images not in ("fashion-mnist", "digits"):
        raise ValueError(f"images: expected fashion-mnist or digits, got {config.images!r}; choose one.")
    if config.draws < 2 or config.resamples < 20 or config.image_side < 0:
        raise ValueError(
            f"expected at least 2 draws, 20 resamples and no negative side, got {config.draws}, {config.resamples} and "
            f"{config.image_side}; raise them."
        )
    if not config.ridges or not min(config.ridges) > 0:
        raise ValueError(f"ridges: expected positive numbers, got {config.ridges}.")
    if min(config.image_pool, config.image_test) < 10:
        raise ValueError(
            f"image_pool, image_test: expected at least 10, one for each class, got {config.image_pool} and "
            f"{config.image_test}; raise them."
        )
    for name in ("image", "texture", "molecule"):
        pool, test, sizes = (getattr(config, f"{name}_{what}") for what in ("pool", "test", "sizes"))
        if name == "molecule" and pool == 0:
            continue
        if len(sizes) < 2 or sorted(set(sizes)) != list(sizes) or not 2 <= sizes[0] <= sizes[-1] <= pool or test < 2:
            raise ValueError(
                f"{name}_sizes: expected at least two increasing sizes from 2 up to the pool of {pool}, and 2 test "
                f"examples, got {sizes} and {test}; change them."
            )
    if config.texture_classes < 2 or config.texture_side < 5 or config.texture_pool < config.texture_classes:
        raise ValueError("textures: expected 2 classes, a side of 5 and a pool that holds each class; raise them.")
    if config.molecule_pool and (
        config.order <= config.lmax // 2
        or not 2 <= config.orbit_size <= config.molecule_pool
        or config.orbit_draws < 2
        or not config.rotations
        or min(config.rotations) < 1
    ):
        raise ValueError(
            f"molecules: expected order > lmax / 2, orbit_size in 2..{config.molecule_pool}, 2 orbit_draws and "
            f"positive "
            f"rotations, got {config.order}, {config.lmax}, {config.orbit_size}, {config.orbit_draws} and "
            f"{config.rotations}; change them."
        )
