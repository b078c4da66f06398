"""What a study does, as data: runs at infinite width, runs of ensembles, an audit; presets, and TOML in and out."""

import dataclasses
import hashlib
import itertools
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..spelling import suggestion

ARMS = ("plain", "augmented", "averaged", "equivariant")
PRESETS = ("quick", "full")


@dataclass(frozen=True)
class AuditRun:
    """Does the data have this symmetry? See `studies.audit`.

    Attributes:
        train, held_out: numbers of examples to learn from and to judge.
        typical: a moved image counts as a typical b if its score for b is above this quantile of genuine b.
        share: two classes are confused if more than this share of their moved images is typical of the other.
        size: side in pixels to which images are reduced for the audit; 0 keeps them.
    """

    train: int = 600
    held_out: int = 800
    typical: float = 0.01
    share: float = 0.3
    size: int = 0


@dataclass(frozen=True)
class KernelRun:
    """Infinitely wide networks: one kernel, evaluated once, and its predictors at all training sizes.

    Attributes:
        name: short name of the network, in file names and in the column `net`.
        net: the description, as `parse_net` reads it.
        size: side in pixels to which images are reduced; 0 keeps them.
        train_sizes: increasing; the smaller training sets are part of the larger ones.
        test, off: numbers of test examples and of off-manifold inputs.
        arms: some of `ARMS`.
        ridge: penalty in units of the mean diagonal of the training NTK.
        times: further training times beside infinity, in units of 1 / (largest eigenvalue of NTK / n) of `plain`.
        explicit: largest |G| n for which the augmented predictor is solved on all images of the training set.
        check: training size of a second, independent evaluation in float64; 0 for none.
        direct: whether the group-convolutional network's own kernel is evaluated on all pairs too; see `direct_arms`.
    """

    name: str = "mlp"
    net: str = "Serial(Flatten(), Dense(64), Relu(), Dense(64), Relu(), Dense(1))"
    size: int = 0
    train_sizes: tuple[int, ...] = (40, 80, 160, 320)
    test: int = 300
    off: int = 100
    arms: tuple[str, ...] = ARMS
    ridge: float = 1e-4
    times: tuple[float, ...] = ()
    explicit: int = 1600
    check: int = 0
    direct: bool = False


@dataclass(frozen=True)
class EnsembleRun:
    """Ensembles of finite networks, trained by full-batch gradient descent on the mean squared error.

    Attributes:
        name: short name of the network; of a kernel run with the same name its covariance predicts the deviations.
        net: the description; a `W` in it stands for the width.
        size: side in pixels to which images are reduced; 0 keeps them.
        train_sizes: increasing; the smaller training sets are part of the larger ones.
        test, off: numbers of test examples and of off-manifold inputs.
        arms: some of `ARMS`; "averaged" needs "plain" and costs no training.
        widths: values of `W`.
        twin_width: "parameters" divides the widths of the equivariant network by sqrt(|G|), "same" keeps them.
        members, seeds: networks of an ensemble, and its seeds.
        steps: of gradient descent.
        rate: learning rate, in units of the largest stable one at infinite width.
        batch: examples a step; 0 for all of them, as the theory has it.
        record: number of moments at which outputs are kept, the last one after all steps.
        piece: members trained as one piece of work.
    """

    name: str = "mlp"
    net: str = "Serial(Flatten(), Dense(W), Relu(), Dense(W), Relu(), Dense(1))"
    size: int = 0
    train_sizes: tuple[int, ...] = (40, 80, 160)
    test: int = 300
    off: int = 100
    arms: tuple[str, ...] = ARMS
    widths: tuple[int, ...] = (32, 128)
    twin_width: str = "parameters"
    members: int = 16
    seeds: tuple[int, ...] = (0,)
    steps: int = 400
    rate: float = 0.5
    batch: int = 0
    record: int = 6
    piece: int = 16


@dataclass(frozen=True)
class Config:
    """A study. Its TOML file has the same names: `[audit]`, and one `[[kernels]]` or `[[ensembles]]` for each run.

    Attributes:
        data: as `equitangents.data.load` takes it.
        group: C1, C2, C4, D1, D2, D4 for images; "auto" compares them all. For vectors Z<n> (cyclic shifts), S<n> (all
            permutations), or a JSON file with a list of permutations.
        preset: the preset it was made from.
        resize: side in pixels of all images; 0 keeps them.
        seed: of the split, the orientations, the noise and the resampling.
        off_manifold: "noise", or data to take the off-manifold inputs from.
        resamples: bootstrap resamples of the test items.
    """

    data: str = "digits"
    group: str = "C4"
    preset: str = "quick"
    resize: int = 0
    seed: int = 0
    off_manifold: str = "noise"
    resamples: int = 400
    audit: AuditRun = field(default_factory=AuditRun)
    kernels: tuple[KernelRun, ...] = ()
    ensembles: tuple[EnsembleRun, ...] = ()

    @property
    def runs(self) -> tuple[KernelRun | EnsembleRun, ...]:
        """All runs, kernels first."""
        return (*self.kernels, *self.ensembles)

    def digest(self) -> str:
        """The sha256 of the configuration, hexadecimal."""
        return hashlib.sha256(to_toml(self).encode()).hexdigest()


def preset_config(name: str, **given: Any) -> Config:
    """A ready configuration, "quick" or "full", fitted to the data, which it loads.

    Args:
        name: of the preset.
        given: `data`, `group`, `resize` and the other simple entries of `Config`.

    Raises:
        ValueError: an unknown preset, or data that cannot be read.
    """
    from .presets import make_preset

    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}; {suggestion(name, PRESETS)}")
    return make_preset(name, **given)


def read_config(path: str | Path, **given: Any) -> Config:
    """The configuration in a TOML file; `given` overrides its top-level entries.

    Raises:
        ValueError: unreadable, unknown keys, wrong types or ranges; one line each.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a readable TOML file, got {str(path)!r}: {_reason(error)}.") from None
    return parse_config(text, where=str(path), **given)


def parse_config(text: str, where: str = "the configuration", **given: Any) -> Config:
    """The configuration in a TOML text; see `read_config`."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{where}: expected TOML, got a text that is not: {_reason(error)}.") from None
    return check_config(build(Config, table | given, where))


def check_config(config: Config) -> Config:
    """The configuration itself, or a ValueError of one line where its numbers make no sense."""
    _at_least("seed", config.seed, 0)
    _at_least("resize", config.resize, 0)
    _at_least("resamples", config.resamples, 10)
    _at_least("audit.train", config.audit.train, 2)
    _at_least("audit.held_out", config.audit.held_out, 2)
    _at_least("audit.size", config.audit.size, 0)
    _within("audit.typical", config.audit.typical, 0, 1)
    _within("audit.share", config.audit.share, 0, 1)
    for kind, runs in (("kernels", config.kernels), ("ensembles", config.ensembles)):
        names = [run.name for run in runs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{kind}: expected different names, got {name!r} twice; rename one.")
        for run in runs:
            _check_run(f"{kind} {run.name!r}", run)
    if not config.kernels and not config.ensembles:
        raise ValueError("expected at least one [[kernels]] or [[ensembles]] run, got none; add one or use a preset.")
    return config


def _check_run(where: str, run: KernelRun | EnsembleRun) -> None:
    if not run.name or not run.name.replace("-", "").replace("_", "").isalnum() or not run.name.isascii():
        raise ValueError(f"{where}: expected a name of letters, digits, '-' and '_', got {run.name!r}; rename it.")
    _at_least(f"{where}: size", run.size, 0)
    _increasing(f"{where}: train_sizes", run.train_sizes, 2)
    _at_least(f"{where}: test", run.test, 2)
    _at_least(f"{where}: off", run.off, 1)
    if not run.arms:
        raise ValueError(f"{where}: expected at least one arm, got none; choose from {', '.join(ARMS)}.")
    for arm in run.arms:
        if arm not in ARMS:
            raise ValueError(f"{where}: expected arms among {', '.join(ARMS)}, got {arm!r}; {suggestion(arm, ARMS)}")
    if "averaged" in run.arms and "plain" not in run.arms:
        raise ValueError(f"{where}: expected the arm 'plain' beside 'averaged', which averages it; add it.")
    if isinstance(run, KernelRun):
        if not run.ridge >= 0:
            raise ValueError(f"{where}: expected ridge >= 0, got {run.ridge}; choose another.")
        if any(not t > 0 for t in run.times):
            raise ValueError(f"{where}: expected positive times, got {run.times}; choose others.")
        _at_least(f"{where}: explicit", run.explicit, 0)
        _at_least(f"{where}: check", run.check, 0)
        return
    _increasing(f"{where}: widths", run.widths, 1)
    _at_least(f"{where}: members", run.members, 1)
    _at_least(f"{where}: steps", run.steps, 1)
    _at_least(f"{where}: record", run.record, 1)
    _at_least(f"{where}: piece", run.piece, 1)
    _at_least(f"{where}: batch", run.batch, 0)
    if run.record > run.steps:
        raise ValueError(f"{where}: expected record <= steps, got {run.record} moments in {run.steps} steps.")
    if not 0 < run.rate < 1:
        raise ValueError(f"{where}: expected rate between 0 and 1, the largest stable one, got {run.rate}.")
    if run.twin_width not in ("parameters", "same"):
        raise ValueError(f"{where}: expected twin_width 'parameters' or 'same', got {run.twin_width!r}.")
    if not run.seeds or len(set(run.seeds)) < len(run.seeds) or min(run.seeds) < 0:
        raise ValueError(f"{where}: expected different seeds >= 0, at least one, got {run.seeds}.")


def _at_least(what: str, value: int, low: int) -> None:
    if value < low:
        raise ValueError(f"{what}: expected at least {low}, got {value}; choose a larger number.")


def _within(what: str, value: float, low: float, high: float) -> None:
    if not low < value < high:
        raise ValueError(f"{what}: expected a number between {low} and {high}, got {value}; choose another.")


def _increasing(what: str, values: tuple[int, ...], low: int) -> None:
    if not values or values[0] < low or any(b <= a for a, b in itertools.pairwise(values)):
        raise ValueError(f"{what}: expected increasing numbers from {low} on, at least one, got {list(values)}.")


def build(cls: type, table: Any, where: str) -> Any:
    """The dataclass from a table, every key known and every value of its type."""
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table, got {table!r}; write it as [name] or [[name]].")
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in hints:
            raise ValueError(f"{where}: expected one of {', '.join(hints)}, got {key!r}; {suggestion(key, hints)}")
    return cls(**{key: _convert(hints[key], value, f"{where}: {key}") for key, value in table.items()})


def _convert(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, kind) else build(kind, value, where)  # type: ignore[arg-type]
    if isinstance(kind, types.GenericAlias):
        inside = typing.get_args(kind)[0]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: expected a list, got {value!r}; write it in brackets.")
        return tuple(_convert(inside, v, f"{where}[{i}]") for i, v in enumerate(value))
    good = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if isinstance(value, bool) != (kind is bool) or not good:
        word = {int: "an integer", float: "a number", str: "a text in quotes", bool: "true or false"}[kind]
        raise ValueError(f"{where}: expected {word}, got {value!r}; correct it.")
    return kind(value)


def to_toml(config: Any) -> str:
    """The configuration as TOML; `parse_config` gives it back."""
    head, tables = _entries(config, "")
    return "\n".join(head + tables) + "\n"


def _entries(value: Any, prefix: str) -> tuple[list[str], list[str]]:
    head, tables = [], []
    for f in dataclasses.fields(value):
        entry = getattr(value, f.name)
        if dataclasses.is_dataclass(entry):
            tables += ["", f"[{prefix}{f.name}]", *_entries(entry, "")[0]]
        elif isinstance(entry, tuple) and entry and dataclasses.is_dataclass(entry[0]):
            for one in entry:
                tables += ["", f"[[{prefix}{f.name}]]", *_entries(one, "")[0]]
        else:
            head.append(f"{f.name} = {_literal(entry)}")
    return head, tables


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else {"\\": "\\\\", '"': '\\"'}.get(c, c) for c in value
        )
        return f'"{escaped}"'
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__
