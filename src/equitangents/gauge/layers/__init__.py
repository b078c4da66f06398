"""Gauge equivariant layers: descriptions with `init` and `apply` as all others."""

from .bilinear import GEBL as GEBL
from .bilinear import bilinear as bilinear
from .covariant import Covariant as Covariant
from .covariant import Plaquettes as Plaquettes
from .covariant import enlarged as enlarged
from .pointwise import GEAct as GEAct
from .pointwise import TrNorm as TrNorm
from .readout import Trace as Trace
from .transport import LCB as LCB
from .transport import GEConv as GEConv
from .update import LinkExp as LinkExp
