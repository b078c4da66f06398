"""Augmented training is equivariant training: finite ensembles of both, against each other and against the limit."""

from dataclasses import dataclass
from functools import partial

from ...groups import point_group
from ..piece import Arrays, Get, Piece
from .images import OFF, available
from .study import TheoryStudy
from .twins import CASES, data, pair
from .twins_kernel import closed_forms
from .twins_page import page
from .twins_train import trained_pairs

PIECE_FLOPS = 5e11  # in one piece of work: about ten seconds
TOGETHER = 128  # pairs at most: narrow networks are slower than their operations say


@dataclass(frozen=True)
class TwinsConfig:
    """Attributes:
    preset: name.
    group: of rotations and flips.
    classes: digits 0, ..., classes - 1.
    train, test: numbers of digits.
    off, n_off: what lies off the manifold, "fashion-mnist" or "noise", and how many of them.
    rate: learning rate of the plain network, as a fraction of the largest stable one at infinite width.
    moments: numbers of steps at which outputs are kept, increasing.
    widths, pairs: channels, and pairs of networks of opposite sign at each width.
    control_widths, control_pairs: the same for the two negative controls.
    seed: of data and networks.
    """

    preset: str = "quick"
    group: str = "C4"
    classes: int = 3
    train: int = 12
    test: int = 12
    off: str = "fashion-mnist"
    n_off: int = 12
    rate: float = 0.25
    moments: tuple[int, ...] = (0, 2, 5, 12, 35, 100)
    widths: tuple[int, ...] = (4, 8, 16)
    pairs: tuple[int, ...] = (192, 128, 64)
    control_widths: tuple[int, ...] = (4, 16)
    control_pairs: tuple[int, ...] = (96, 32)
    seed: int = 0


def check(config: TwinsConfig) -> None:
    """One line where a configuration makes no sense."""
    point_group(config.group)
    if config.off not in OFF:
        raise ValueError(f"off: expected one of {', '.join(OFF)}, got {config.off!r}; choose one.")
    if not 2 <= config.classes <= 10:
        raise ValueError(f"classes: expected 2 to 10, got {config.classes}; choose fewer digits.")
    if min(config.train, config.test, config.n_off) < 1:
        raise ValueError("train, test, n_off: expected at least 1 of each; choose more.")
    if config.train + config.test > available(config.classes):
        raise ValueError(
            f"train + test: expected at most {available(config.classes)} digits, got {config.train + config.test}; "
            "choose fewer."
        )
    if not 0 < config.rate < 1:
        raise ValueError(f"rate: expected a fraction between 0 and 1, got {config.rate}; 0.25 is safe.")
    if list(config.moments) != sorted(set(config.moments)) or not config.moments or config.moments[0] < 0:
        raise ValueError(f"moments: expected increasing numbers of steps, got {config.moments}; sort them.")
    if config.moments[-1] < 1:
        raise ValueError(f"moments: expected at least one step at the end, got {config.moments}; add a later one.")
    for name, widths, pairs in (
        ("widths", config.widths, config.pairs),
        ("control_widths", config.control_widths, config.control_pairs),
    ):
        if len(widths) < 2 or list(widths) != sorted(set(widths)) or widths[0] < 1:
            raise ValueError(f"{name}: expected at least two increasing widths, got {widths}; add one.")
        if len(widths) != len(pairs) or min(pairs) < 4:
            raise ValueError(f"{name}: expected a number of pairs for each, at least 4, got {pairs}; match them.")


def runs(config: TwinsConfig) -> list[tuple[str, bool, int, int]]:
    """(case, augmented, width, pairs) of all ensembles."""
    found = []
    for case in CASES:
        theorem = case == "theorem"
        widths = config.widths if theorem else config.control_widths
        pairs = config.pairs if theorem else config.control_pairs
        found += [(case, arm, w, p) for w, p in zip(widths, pairs, strict=True) for arm in (True, False)]
    return found


def train_name(case: str, augmented: bool, width: int, start: int) -> str:
    """Of the piece that trains pairs from `start` on."""
    return f"train-{case}-{'augmented' if augmented else 'imposed'}-w{width}-m{start}"


def parts(config: TwinsConfig, case: str, augmented: bool, width: int, pairs: int) -> list[tuple[str, range]]:
    """Names of the pieces of an ensemble, and their members."""
    order = point_group(config.group).order
    turns, images = (1, order * config.train) if augmented else (order, config.train)
    forward = 2 * 9 * turns * width * (36 + 16 * turns * width)  # 6 x 6 and 4 x 4 sites
    each = min(TOGETHER, max(4, round(PIECE_FLOPS / (6 * forward * images * config.moments[-1]))))
    return [(train_name(case, augmented, width, i), range(i, min(i + each, pairs))) for i in range(0, pairs, each)]


def pieces(config: TwinsConfig) -> list[Piece]:
    """Closed forms of each case, then the ensembles."""
    common: tuple = (config.group, config.classes, config.train, config.test, config.off, config.n_off, config.seed)
    common += (config.rate, config.moments)
    found = [
        Piece(f"limit-{case}", "infinite width", ("limit", case, *common), partial(_limit, config, case))
        for case in CASES
    ]
    for case, augmented, width, pairs in runs(config):
        for name, members in parts(config, case, augmented, width, pairs):
            found.append(
                Piece(
                    name,
                    f"train {case} {'augmented' if augmented else 'equivariant'} width {width}",
                    ("train", case, augmented, width, members.start, members.stop, *common),
                    partial(_train, config, case, augmented, width, members),
                    amount=len(members),
                    needs=(f"limit-{case}",),
                )
            )
    return found


def _limit(config: TwinsConfig, case: str, get: Get) -> Arrays:
    nets = pair(case, config.group, 1, config.classes)
    return closed_forms(nets, config.group, data(config), config.rate, config.moments)


def _train(config: TwinsConfig, case: str, augmented: bool, width: int, members: range, get: Get) -> Arrays:
    limit = get(f"limit-{case}")
    net = pair(case, config.group, width, config.classes)[0 if augmented else 1]
    rate = float(limit["rate" if augmented else "matched"])
    seed = config.seed + 1 + CASES.index(case) * 2 + augmented
    return trained_pairs(net, config.group, data(config), augmented, rate, config.moments, members, seed)


STUDY = TheoryStudy(
    name="augmented-equals-equivariant",
    title="Augmented training is equivariant training",
    claim=(
        "Infinitely wide networks trained on all rotated copies of the data have the mean predictor, at every moment "
        "and for every input, of group-convolutional networks trained on the data themselves. Finite networks "
        "should differ by O(1/width), and ensembles of M of them by a noise of O(1/sqrt(M)) on top."
    ),
    presets={
        "quick": TwinsConfig(),
        "full": TwinsConfig(
            preset="full",
            widths=(4, 8, 16, 32),
            pairs=(1024, 768, 512, 256),
            control_widths=(4, 8, 16, 32),
            control_pairs=(256, 256, 192, 64),
        ),
    },
    check=check,
    pieces=pieces,
    page=page,
    minutes={"full": 8.0},
    citations=(
        ("Misof, Kessel and Gerken (2024), Equivariant neural tangent kernels", "https://arxiv.org/abs/2406.06504"),
        ("Gerken and Kessel (2024), Emergent equivariance in deep ensembles", "https://arxiv.org/abs/2403.03103"),
    ),
)
