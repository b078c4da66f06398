"""Layers that impose a symmetry, each with its rules at infinite width, written as an outside user would."""

from . import blocks as blocks
from .group_conv import GroupConv as GroupConv
from .group_pool import GroupPool as GroupPool
from .lift import Lift as Lift
from .regular import ActionLift as ActionLift
from .regular import RegularConv as RegularConv
from .twin import impose as impose
