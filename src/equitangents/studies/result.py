"""What a study found: one long table, and the timings; plots and report take nothing else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .config import Config, read_config, to_toml
from .store import whole_file

COLUMNS: dict[str, type] = {
    "arm": str,
    "model": str,
    "net": str,
    "group": str,
    "n_train": int,
    "width": int,
    "members": int,
    "seed": int,
    "time": float,
    "inputs": str,
    "metric": str,
    "element": str,
    "true": str,
    "predicted": str,
    "against": str,
    "value": float,
    "low": float,
    "high": float,
}
TIMINGS: dict[str, type] = {
    "piece": str,
    "arm": str,
    "model": str,
    "cpu_seconds": float,
    "wall_seconds": float,
    "peak_memory_mb": float,
    "matmul_gflops": float,
}
EMPTY = {str: "", int: 0, float: float("nan")}


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a study.

    Attributes:
        config: what was studied.
        columns: `COLUMNS` as arrays of one length; texts are NumPy strings.
        timings: `TIMINGS` likewise.
        folder: where it lies, or None.
    """

    config: Config
    columns: dict[str, np.ndarray]
    timings: dict[str, np.ndarray] = field(default_factory=dict)
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.columns["value"])

    def select(self, **equal: Any) -> "Result":
        """The rows where each named column has the given value, or one of a list of values.

        Raises:
            ValueError: no such column.
        """
        keep = np.ones(len(self), bool)
        for name, wanted in equal.items():
            if name not in self.columns:
                raise ValueError(f"expected one of the columns {', '.join(self.columns)}, got {name!r}.")
            several = isinstance(wanted, list | tuple | set | np.ndarray)
            keep &= np.isin(self.columns[name], list(wanted) if several else [wanted])
        return Result(self.config, {n: c[keep] for n, c in self.columns.items()}, self.timings, self.folder)

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries of Python values."""
        names = list(self.columns)
        return [
            dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in self.columns.values()), strict=True)
        ]

    @classmethod
    def load(cls, out: str | Path) -> "Result":
        """The result in a folder that `studies.run` has filled.

        Raises:
            ValueError: there is none, or it cannot be read.
        """
        out = Path(out)
        if not (out / "results.parquet").is_file():
            raise ValueError(
                f"{out}: expected a folder with a finished study, got none; run `equitangents study` first."
            )
        config = read_config(out / "config.toml")
        timings = out / "timings.parquet"
        columns = read_table(out / "results.parquet", COLUMNS)
        return cls(config, columns, read_table(timings, TIMINGS) if timings.is_file() else {}, out)

    def save(self, out: str | Path) -> None:
        """Write config.toml, results.parquet and timings.parquet, each whole or not at all."""
        out = Path(out)
        with whole_file(out / "config.toml") as file:
            file.write(to_toml(self.config).encode())
        write_table(out / "results.parquet", self.columns, COLUMNS)
        write_table(out / "timings.parquet", self.timings, TIMINGS)


def as_columns(rows: Iterable[dict[str, Any]], kinds: dict[str, type]) -> dict[str, np.ndarray]:
    """Columns from dictionaries; what a row leaves out is empty, zero or nan."""
    rows = list(rows)
    make: dict[type, Callable] = {
        str: lambda v: np.array(v, dtype=np.str_) if v else np.array([], dtype="U1"),
        int: lambda v: np.array(v, dtype=np.int64),
        float: lambda v: np.array(v, dtype=np.float64),
    }
    return {name: make[kind]([row.get(name, EMPTY[kind]) for row in rows]) for name, kind in kinds.items()}


def write_table(path: Path, columns: dict[str, np.ndarray], kinds: dict[str, type]) -> None:
    """A Parquet file whose bytes depend on the columns only."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    arrays = [pa.array(columns[name].tolist(), types[kind]) for name, kind in kinds.items()]
    with whole_file(path) as file:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), file, compression="zstd", store_schema=False)


def read_table(path: Path, kinds: dict[str, type]) -> dict[str, np.ndarray]:
    """The columns of such a file.

    Raises:
        ValueError: it cannot be read, or has other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(path, "rb") as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: expected a readable Parquet file, got: {reason}; run the study again.") from None
    if list(table.column_names) != list(kinds):
        raise ValueError(f"{path}: expected the columns {', '.join(kinds)}, got others; run the study again.")
    rows = {name: table.column(name).to_pylist() for name in kinds}
    return {name: as_columns([{name: v} for v in rows[name]], {name: kind})[name] for name, kind in kinds.items()}
