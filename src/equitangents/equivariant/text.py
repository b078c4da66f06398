"""Descriptions from text, as `nets.text` reads them, that know the layers of roto-translation groups too.

`nets` knows no groups; what stands above both, such as studies and estimators, reads texts by these functions.
"""

from pathlib import Path

from ..nets import AbstractLayer, text
from .group_conv import GroupConv
from .group_pool import GroupPool
from .lift import Lift

LAYERS: text.Layers = {"Lift": Lift, "GroupConv": GroupConv, "GroupPool": GroupPool}
"""Those that are described by numbers and texts; `ActionLift` and `RegularConv` hold an action or a group."""


def parse_net(description: str, more: text.Layers | None = None, /, **names: int) -> AbstractLayer:
    """The network that a text describes; see `nets.text.parse_net`.

    >>> parse_net("Serial(Lift('C4', W, 3), Relu(), GroupPool(), Dense(1))", W=8)
    Serial(Lift('C4', 8, (3, 3)), Relu(), GroupPool(), Dense(1))
    """
    return text.parse_net(description, {**LAYERS, **(more or {})}, **names)


def net_text(given: str) -> str:
    """A description that is given as text, or by the name of a file that holds it."""
    return text.net_text(given, LAYERS)


def read_net(path: str | Path) -> str:
    """The text of a description in a file, checked to be one; see `nets.text.read_net`."""
    return text.read_net(path, LAYERS)
