"""Warnings of the line of the user's own code that is being run."""

import sys
import warnings

NOT_THE_CALLER = {__name__.split(".")[0], "equinox", "jax", "jaxtyping"}


def warn_caller(message: str) -> None:
    """A warning of the line of the user's own code that is being run."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in NOT_THE_CALLER:
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        UserWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__"),
        frame.f_globals.setdefault("__warningregistry__", {}),
    )
