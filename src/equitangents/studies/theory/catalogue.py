"""The studies of theorems, by name; each module is imported when its study is asked for."""

import importlib

from ...spelling import suggestion
from .study import TheoryStudy

MODULES: dict[str, str] = {
    "emergent-equivariance": "emergent",
    "augmented-equals-equivariant": "augmented_equals_equivariant",
    "equivariant-kernel-benchmark": "kernel_benchmark",
    "support-symmetry": "support_symmetry",
    "wilson-loops": "loops",
    "chern": "chern",
}
"""Name of a study -> module of this folder that holds it as `STUDY`."""


def find(name: str) -> TheoryStudy:
    """The study of that name.

    Raises:
        ValueError: there is none; one line.
    """
    if name not in MODULES:
        raise ValueError(f"study: expected one of {', '.join(MODULES)}, got {name!r}; {suggestion(name, MODULES)}")
    study = importlib.import_module(f".{MODULES[name]}", __package__).STUDY
    assert isinstance(study, TheoryStudy)
    return study
