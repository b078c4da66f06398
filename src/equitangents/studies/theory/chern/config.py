"""Configurations of the study of Chern numbers: which networks are trained on what, and where they are measured."""

from dataclasses import dataclass, replace

from ....gauge.chern import ChernData
from ....gauge.chern.baselines import NETWORKS, AxialData, NetworkTraining

LINKS = ("random", "axial", "mixed")


@dataclass(frozen=True)
class Run:
    """One way to train, repeated over seeds.

    Attributes:
        name: of the row, letters, digits and hyphens.
        network: "gebl" (gauge equivariant), "cnn" of link entries, "deep-spec" of eigenvalues, or "exact".
        bands: N.
        label: "trlog" or "det".
        trivial: only links whose label is 0; outputs are rescaled on links that are not.
        links: that it is trained on: Haar links in a "random" gauge or in the "axial" one, or "mixed" with smooth ones.
        norm: with `TrNorm`.
        spread, weight: of the term of the loss that keeps outputs from collapsing.
        channels: of each block, or widths of hidden layers.
        steps, batch, rate: of Adam.
        seeds: how many.
        each: steps in a piece of work, below a minute.
        ablation: in the tables alone, not in figures and the answer.
    """

    name: str
    network: str = "gebl"
    bands: int = 1
    label: str = "trlog"
    trivial: bool = False
    links: str = "random"
    norm: bool = True
    spread: float = 0.5
    weight: float = 1.0
    channels: tuple[int, ...] = (16, 8, 8)
    steps: int = 800
    batch: int = 64
    rate: float = 3e-3
    seeds: int = 1
    each: int = 400
    ablation: bool = False

    def training(self, grid: int, seed: int) -> NetworkTraining:
        """What trains it."""
        kind = AxialData if self.links == "axial" else ChernData
        smooth = 0.5 if self.links == "mixed" else 0.0
        return NetworkTraining(
            data=kind(self.bands, (grid, grid), self.label, self.trivial, self.batch, smooth),
            channels=self.channels,
            norm=self.norm,
            steps=max(1, self.steps),
            rate=self.rate,
            spread=self.spread,
            weight=self.weight,
            seed=1000 * seed,
            network=self.network,
        )


@dataclass(frozen=True)
class ChernConfig:
    """Attributes:
    preset: name.
    grid: sites on each side in training.
    runs: in the order in which they are done; the first one is drawn.
    grids: sides of the lattices that gauge equivariant networks are measured on.
    count: random lattices of a measurement.
    insulators: band structures of a measurement.
    phase_points: masses, and phases, of the phase diagram.
    phase_grid: momenta on each side of its band structures.
    """

    preset: str = "quick"
    grid: int = 5
    runs: tuple[Run, ...] = (Run("one-band"),)
    grids: tuple[int, ...] = (5, 7, 9, 11, 13, 15)
    count: int = 1000
    insulators: int = 400
    phase_points: int = 36
    phase_grid: int = 10


def check(config: ChernConfig) -> None:
    """One line where a configuration makes no sense."""
    names = [run.name for run in config.runs]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"runs: expected at least one, with names that differ, got {names}; rename one.")
    first = config.runs[0]
    if first.network != "gebl" or first.bands != 1:
        raise ValueError(f"runs: expected a gebl network of one band first, as it is drawn, got {names[0]!r}; sort.")
    for run in config.runs:
        if not all(c.isalnum() or c == "-" for c in run.name) or not run.name:
            raise ValueError(f"runs: expected names of letters, digits and hyphens, got {run.name!r}; rename it.")
        for field, known in (("network", NETWORKS), ("links", LINKS)):
            if getattr(run, field) not in known:
                raise ValueError(
                    f"{run.name}: expected {field} to be one of {', '.join(known)}, got {getattr(run, field)!r}; "
                    "choose one."
                )
        if run.seeds < 1 or run.each < 1 or run.steps < 0 or (run.steps == 0) != (run.network == "exact"):
            raise ValueError(f"{run.name}: expected seeds, each and steps of at least 1; steps = 0 for exact alone.")
        run.training(config.grid, 0)
    if list(config.grids) != sorted(set(config.grids)) or config.grid not in config.grids or config.grids[0] < 3:
        raise ValueError(f"grids: expected increasing sides, {config.grid} among them, got {config.grids}; add it.")
    if min(config.count, config.insulators) < 10 or config.phase_points < 2 or config.phase_grid < 3:
        raise ValueError("count, insulators, phase_points, phase_grid: expected at least 10, 10, 2 and 3; choose more.")


TWO = Run("two-bands", bands=2, steps=2000, each=250)
TRIVIAL = Run("two-bands-trivial", bands=2, trivial=True, weight=5.0, steps=2000, each=200)
MANY = Run("three-bands", bands=3, channels=(32, 16, 8), steps=2000, batch=32, each=200)
FOUR = replace(MANY, name="four-bands", bands=4, steps=10_000)
CNN = Run("cnn", network="cnn", channels=(64, 64, 64), steps=3000, each=600)
SPEC = Run("deep-spec-1", network="deep-spec", channels=(64, 64), steps=3000, rate=1e-2, each=1000)
ONE_TRIVIAL = Run("one-band-trivial", trivial=True, weight=5.0, steps=1200)
PRESETS = {
    "quick": ChernConfig(),
    "full": ChernConfig(
        preset="full",
        grids=(5, 6, 8, 10, 12, 15),
        runs=(
            Run("one-band", steps=1200, seeds=3),
            replace(TWO, seeds=3),
            replace(TWO, name="two-bands-mixed", links="mixed"),
            replace(TRIVIAL, seeds=3),
            replace(ONE_TRIVIAL, seeds=3),
            Run("exact-1", "exact", 1, steps=0),
            Run("exact-2", "exact", 2, steps=0),
            SPEC,
            replace(SPEC, name="deep-spec-2", bands=2),
            replace(SPEC, name="deep-spec-4", bands=4),
            replace(CNN, name="cnn-axial", links="axial"),
            replace(CNN, name="cnn-random", seeds=5),
            MANY,
            replace(MANY, name="three-bands-mixed", links="mixed"),
            replace(TWO, name="two-bands-det", label="det", ablation=True),
            replace(TRIVIAL, name="two-bands-no-spread", spread=0.0, steps=800, ablation=True),
            replace(TRIVIAL, name="two-bands-weight-1", weight=1.0, ablation=True),
            replace(TWO, name="two-bands-no-norm", norm=False, ablation=True),
            FOUR,
            replace(FOUR, name="four-bands-no-norm", norm=False, steps=1000, ablation=True),
        ),
    ),
}
