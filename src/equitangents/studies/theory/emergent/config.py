"""What the study of emergent equivariance is made of, in numbers."""

import itertools
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Emergent:
    """Four parts, each with its own prefix; members are networks, images and pairs are training examples before
    augmentation, steps are full-batch steps of descent, so epochs.

    Attributes:
        preset: the preset it was made from.
        seed: of data, initialisations and resampling.
        resamples: of the bootstrap, and draws from the kernel's Gaussian.
        rate: learning rate, as a part of the largest at which the kernel's descent is stable.
        ising_*: energies of 4 x 4 spins; `ising_widths` are swept for C4, the last one serves all groups.
        cross_*: cross product of pairs of vectors; `cross_rotations` elements of each set are looked at.
        fashion_*: Fashion-MNIST in `fashion_side` x `fashion_side` pixels; `fashion_off` inputs of each kind off the
            distribution; `fashion_members` for augmented, plain and canonicalised (each), and twin networks;
            `fashion_single`: channels of the wider networks, `fashion_seeds` of each.
        turn_*: rotations by any angle; orders of the groups trained on, and the number of angles looked at.
    """

    preset: str = "quick"
    seed: int = 0
    resamples: int = 200
    rate: float = 0.5
    ising_train: int = 16
    ising_test: int = 24
    ising_widths: tuple[int, ...] = (16, 128)
    ising_members: int = 256
    ising_steps: int = 100
    cross_train: int = 4
    cross_test: int = 16
    cross_rotations: int = 8
    cross_width: int = 128
    cross_members: int = 256
    cross_steps: int = 100
    fashion_side: int = 14
    fashion_train: int = 48
    fashion_test: int = 60
    fashion_off: int = 30
    fashion_channels: int = 16
    fashion_members: tuple[int, ...] = (16, 32, 8)
    fashion_single: tuple[int, ...] = (32,)
    fashion_seeds: int = 1
    fashion_steps: int = 60
    turn_orders: tuple[int, ...] = (1, 4, 8, 16)
    turn_train: int = 16
    turn_test: int = 30
    turn_angles: int = 32
    turn_width: int = 128
    turn_members: int = 16
    turn_steps: int = 60


FULL = Emergent(
    preset="full",
    resamples=200,
    ising_test=48,
    ising_widths=(16, 64, 256),
    ising_members=1024,
    ising_steps=200,
    cross_train=8,
    cross_test=24,
    cross_rotations=12,
    cross_width=256,
    cross_members=1024,
    cross_steps=200,
    fashion_train=96,
    fashion_test=150,
    fashion_off=75,
    fashion_members=(64, 96, 16),
    fashion_single=(32, 64),
    fashion_seeds=2,
    fashion_steps=150,
    turn_train=48,
    turn_test=64,
    turn_width=256,
    turn_members=32,
    turn_steps=150,
)
PRESETS = {"quick": Emergent(), "full": FULL}


def part(config: Emergent, prefix: str) -> tuple[Any, ...]:
    """All entries that decide one part, for digests."""
    shared = (config.seed, config.resamples, config.rate)
    return *shared, *(getattr(config, f.name) for f in fields(config) if f.name.startswith(prefix))


def check(config: Emergent) -> None:
    """A ValueError of one line where the numbers make no sense."""
    for f in fields(config):
        value = getattr(config, f.name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and number < (0 if f.name == "seed" else 1):
                raise ValueError(f"{f.name}: expected whole numbers from 1 on, got {value}; choose larger ones.")
    if not 0 < config.rate < 1:
        raise ValueError(f"rate: expected a part of the largest stable rate, between 0 and 1, got {config.rate}.")
    for name, least in {"ising_members": 32, "cross_members": 4, "turn_members": 4}.items():
        if getattr(config, name) < least:
            raise ValueError(f"{name}: expected at least {least} members, got {getattr(config, name)}; train more.")
    if len(config.fashion_members) != 3 or min(config.fashion_members) < 4:
        raise ValueError(
            "fashion_members: expected three numbers from 4 on, of augmented, of plain and canonicalised, and of "
            f"group-convolutional networks, got {config.fashion_members}; write [96, 192, 24]."
        )
    for name in ("ising_widths", "fashion_single", "turn_orders"):
        values = getattr(config, name)
        if not values or any(b <= a for a, b in itertools.pairwise(values)):
            raise ValueError(f"{name}: expected increasing numbers, at least one, got {values}; sort them.")
    if config.fashion_side % 2:
        raise ValueError(f"fashion_side: expected an even number of pixels, got {config.fashion_side}; take 14.")
    if len(config.turn_orders) > 4 or max(config.turn_orders) < 2:
        raise ValueError(f"turn_orders: expected at most four, one above 1, got {config.turn_orders}; choose some.")
    if any(config.turn_angles % k for k in config.turn_orders):
        raise ValueError(
            f"turn_angles: expected a multiple of the orders {config.turn_orders}, got {config.turn_angles}; take 32."
        )
