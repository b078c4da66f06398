"""What the study `wilson-loops` does."""

from dataclasses import dataclass

LOOPS = ((1, 1), (1, 2), (2, 2), (4, 4))


@dataclass(frozen=True)
class LoopsConfig:
    """Attributes:
    preset: its name.
    betas: inverse couplings of SU(2), a chain each.
    side: of the lattices in training.
    sides: of those in tests.
    train, test: numbers of configurations.
    sweeps: of the heat bath before the first and between configurations.
    loops: how many of `LOOPS`.
    steps, batch: of Adam, for each loop that a network learns on its way (`LEARNED`).
    rate, plain_rate: of Adam, for equivariant and for plain networks.
    seeds: networks of each kind.
    width, depth: of the plain network.
    """

    preset: str = "quick"
    betas: tuple[float, ...] = (0.5, 1.5, 2.5, 3.5)
    side: int = 8
    sides: tuple[int, ...] = (8, 16)
    train: int = 256
    test: int = 64
    sweeps: int = 20
    loops: int = 3
    steps: int = 400
    batch: int = 8
    rate: float = 3e-2
    plain_rate: float = 3e-3
    seeds: int = 1
    width: int = 32
    depth: int = 4


def check(config: LoopsConfig) -> None:
    """Raise ValueError, of one line, where numbers make no sense."""
    for name in ("train", "test", "sweeps", "steps", "batch", "seeds", "width", "depth"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name}: expected at least 1, got {getattr(config, name)}; choose more.")
    if not config.betas or min(config.betas) < 0:
        raise ValueError(f"betas: expected numbers of at least 0, got {config.betas}; choose others.")
    if config.train % len(config.betas) or config.test % len(config.betas):
        raise ValueError(f"train, test: expected multiples of {len(config.betas)}, the number of betas; change them.")
    if not 1 <= config.loops <= len(LOOPS):
        raise ValueError(f"loops: expected 1 to {len(LOOPS)}, got {config.loops}; they are {LOOPS}.")
    for side in (config.side, *config.sides):
        if side < 4 or side % 2:
            raise ValueError(f"side, sides: expected even numbers of at least 4, for the heat bath, got {side}.")
        if side <= LOOPS[config.loops - 1][0]:
            raise ValueError(f"side, sides: expected lattices larger than the largest loop, got {side}; choose more.")
    if config.steps < 2 or not config.rate > 0 or not config.plain_rate > 0:
        raise ValueError("steps, rate, plain_rate: expected at least 2 steps and rates above 0; choose others.")
    if config.batch > config.train:
        raise ValueError(f"batch: expected at most train = {config.train}, got {config.batch}; choose fewer.")
