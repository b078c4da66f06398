"""Rows chosen from the long table of a study: the one way in which figures and reports read a result."""

import math
from typing import Any

import numpy as np


class Rows:
    """Some rows of a table, in its order: a `studies.Result` or a dictionary of columns.

    >>> import numpy as np
    >>> rows = Rows({"arm": np.array(["plain", "augmented", "plain"]), "value": np.array([1.0, 2.0, 3.0])})
    >>> rows.where(arm="plain")["value"].tolist()
    [1.0, 3.0]
    >>> rows.largest("value").one("arm")
    'plain'
    """

    def __init__(self, table: Any):
        columns = table.columns if hasattr(table, "columns") else table
        self.columns = {name: np.asarray(column) for name, column in columns.items()}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __iter__(self):
        names = list(self.columns)
        for values in zip(*(self.columns[name].tolist() for name in names), strict=True):
            yield dict(zip(names, values, strict=True))

    def keep(self, chosen: np.ndarray) -> "Rows":
        """The rows where `chosen` holds, or in the order of its indices."""
        return Rows({name: column[chosen] for name, column in self.columns.items()})

    def where(self, **equal: Any) -> "Rows":
        """Rows whose columns equal the values given; a tuple or list allows any of its entries."""
        chosen = np.ones(len(self), bool)
        for name, value in equal.items():
            wanted = list(value) if isinstance(value, tuple | list) else [value]
            chosen &= np.isin(self.columns[name], wanted)
        return self.keep(chosen)

    def unique(self, name: str) -> list:
        """Distinct values of a column, sorted."""
        return np.unique(self.columns[name]).tolist()

    def largest(self, *names: str) -> "Rows":
        """Rows with the largest value of each column, one column after the other."""
        rows = self
        for name in names:
            known = rows[name] == rows[name]  # nan is unequal to itself
            if known.any():
                rows = rows.keep(rows[name] == rows[name][known].max())
        return rows

    def by(self, *names: str) -> "Rows":
        """Rows sorted by columns."""
        return self.keep(np.lexsort([self.columns[name] for name in reversed(names)]))

    def one(self, name: str, default: Any = None) -> Any:
        """The first value of a column as a Python scalar; `default` if there are no rows."""
        return self.columns[name][0].item() if len(self) else default

    def all_seeds(self) -> "Rows":
        """Rows over all seeds (-1) where there are some, else those of the smallest seed."""
        if not len(self):
            return self
        seeds = self["seed"]
        return self.keep(seeds == (-1 if -1 in seeds else seeds.min()))

    def families(self) -> list[tuple[str, str]]:
        """Pairs (model, net) for which errors were measured, kernels first."""
        errors = self.where(metric="error")
        pairs = set(zip(errors["model"].tolist(), errors["net"].tolist(), strict=True))
        return sorted(pairs, key=lambda pair: (pair[0] != "kernel", pair))


def study_group(rows: Rows) -> str:
    """The largest group compared, by name; "" if none is named."""
    names = [name for name in rows.unique("group") if name]
    return max(names, key=lambda name: (group_order(name) or 0, name), default="")


def group_order(name: str) -> int | None:
    """|G| from the name of a group as users write it; None for one from a file."""
    letter, number = name[:1], name[1:]
    if not number.isdecimal() or letter not in ("C", "D", "Z", "S"):
        return None
    n = int(number)
    return {"C": n, "Z": n, "D": 2 * n, "S": math.factorial(min(n, 20))}[letter]


def of_group(rows: Rows, group: str) -> Rows:
    """Rows of one group; arms that do not know of it (plain) are there whatever group they were stored under."""
    own = rows["group"] == group
    for arm in np.unique(rows["arm"]).tolist():
        if not np.any(own & (rows["arm"] == arm)):
            own = own | ((rows["arm"] == arm) & np.isin(rows["group"], ["", "C1"]))
    return rows.keep(own)
