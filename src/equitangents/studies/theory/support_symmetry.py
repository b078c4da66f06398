"""Which filter supports learn a symmetry from augmented data: those that the group maps to themselves."""

from dataclasses import dataclass
from functools import partial

from ..piece import Arrays, Get, Piece
from .images import OFF, available
from .study import TheoryStudy
from .support_page import page
from .support_train import closed_orbit, trained_members
from .supports import SUPPORTS


@dataclass(frozen=True)
class SupportConfig:
    """Attributes:
    preset: name.
    supports: of filters, names in `SUPPORTS`.
    channels: of each of the three convolutions.
    train, test: numbers of digits.
    off, n_off: what lies off the manifold, "fashion-mnist" or "noise", and how many of them.
    members: networks of each ensemble.
    each: of them in one piece of work.
    sizes: of the ensembles that are measured, up to `members`.
    resamples: of members, for errors.
    steps, batch, rate: of descent on the cross-entropy, each example moved by a random rotation.
    closed_train: digits whose full orbits train the orbit-closed ensembles.
    closed_steps: numbers of steps at which these are looked at.
    closed_rate: of full-batch descent.
    seed: of data and networks.
    """

    preset: str = "quick"
    supports: tuple[str, ...] = ("SYM", "SYMINIT", "ASYM", "CNN")
    channels: int = 16
    train: int = 512
    test: int = 150
    off: str = "fashion-mnist"
    n_off: int = 150
    members: int = 100
    each: int = 50
    sizes: tuple[int, ...] = (1, 2, 5, 10, 25, 50, 100)
    resamples: int = 30
    steps: int = 320
    batch: int = 32
    rate: float = 1.5
    closed_train: int = 8
    closed_steps: tuple[int, ...] = (0, 20, 200)
    closed_rate: float = 0.1
    seed: int = 0


def check(config: SupportConfig) -> None:
    """One line where a configuration makes no sense."""
    if not config.supports or any(name not in SUPPORTS for name in config.supports):
        raise ValueError(f"supports: expected some of {', '.join(SUPPORTS)}, got {config.supports}; choose from these.")
    if config.off not in OFF:
        raise ValueError(f"off: expected one of {', '.join(OFF)}, got {config.off!r}; choose one.")
    counts = ("channels", "train", "test", "n_off", "each", "steps", "batch", "closed_train")
    for name in (name for name in counts if getattr(config, name) < 1):
        raise ValueError(f"{name}: expected at least 1, got {getattr(config, name)}; choose more.")
    if config.train + config.test > available(10):
        raise ValueError(
            f"train + test: expected at most {available(10)} digits, got {config.train + config.test}; choose fewer."
        )
    if config.batch > config.train or config.closed_train > config.train:
        raise ValueError(f"batch, closed_train: expected at most train = {config.train}; choose fewer.")
    if config.members < 4 or config.resamples < 2:
        raise ValueError("members, resamples: expected at least 4 and 2; choose more.")
    for name in ("sizes", "closed_steps"):
        values = getattr(config, name)
        if list(values) != sorted(set(values)) or len(values) < 2 or values[0] < (name == "sizes"):
            raise ValueError(f"{name}: expected at least two increasing numbers, got {values}; sort them.")
    if config.sizes[-1] > config.members:
        raise ValueError(f"sizes: expected at most members = {config.members}, got {config.sizes[-1]}; train more.")
    if not (config.rate > 0 and config.closed_rate > 0):
        raise ValueError("rate, closed_rate: expected positive numbers; choose 1.5 and 0.1.")


def parts(config: SupportConfig, name: str) -> list[tuple[str, range]]:
    """Names of the pieces of an ensemble, and their members."""
    starts = range(0, config.members, config.each)
    return [(f"members-{name}-{i}", range(i, min(i + config.each, config.members))) for i in starts]


def pieces(config: SupportConfig) -> list[Piece]:
    """The orbit-closed ensembles, then the independent ones."""
    data = (config.train, config.test, config.off, config.n_off, config.channels, config.seed)
    closed = ("closed and nudged", *data, config.closed_train, config.closed_steps, config.closed_rate)
    found = [
        Piece(f"closed-{name}", "orbit-closed ensemble", (*closed, name), partial(_closed, config, name))
        for name in config.supports
    ]
    made_from = ("members", *data, config.steps, config.batch, config.rate)
    for together in zip(*(parts(config, name) for name in config.supports), strict=True):  # all supports grow alike
        for name, (piece, members) in zip(config.supports, together, strict=True):
            work = partial(_members, config, name, members)
            identity = (*made_from, name, members.start, members.stop)
            found.append(Piece(piece, f"train {name}", identity, work, amount=len(members)))
    return found


def _closed(config: SupportConfig, name: str, get: Get) -> Arrays:
    return closed_orbit(config, name)


def _members(config: SupportConfig, name: str, members: range, get: Get) -> Arrays:
    return trained_members(config, name, members)


STUDY = TheoryStudy(
    name="support-symmetry",
    title="Which filter supports learn a symmetry",
    claim=(
        "If the group maps the space of weights to itself and the law of the initial weights too, the mean over "
        "networks trained on augmented data is exactly invariant at any width: what an ensemble of M lacks is noise, "
        "its square falls as 1/M. A support that the group does not map to itself leaves a plateau."
    ),
    presets={
        "quick": SupportConfig(),
        "full": SupportConfig(
            preset="full",
            members=1000,
            sizes=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
        ),
    },
    check=check,
    pieces=pieces,
    page=page,
    minutes={"quick": 1.5, "full": 7.8},
    citations=(
        (
            "Nordenfors and Flinth (2024), Ensembles provably learn equivariance through data augmentation",
            "https://arxiv.org/abs/2410.01452",
        ),
        ("Gerken and Kessel (2024), Emergent equivariance in deep ensembles", "https://arxiv.org/abs/2403.03103"),
    ),
)
