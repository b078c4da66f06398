"""Studies: Config -> run -> Result, resumable."""

from ..equivariant.text import parse_net as parse_net
from ..equivariant.text import read_net as read_net
from .config import Config as Config
from .config import EnsembleRun as EnsembleRun
from .config import KernelRun as KernelRun
from .config import read_config as read_config
from .result import Result as Result
from .run import plan as plan
from .run import run as run
