"""Neural networks with symmetries, at infinite and at finite width."""

from .kernels import Kernel as Kernel
from .kernels import MonteCarlo as MonteCarlo
from .kernels import as_stax as as_stax
from .kernels import empirical_ntk as empirical_ntk
from .kernels import kernel as kernel
from .kernels import monte_carlo as monte_carlo
from .kernels import nngp as nngp
from .kernels import nngp_and_ntk as nngp_and_ntk
from .kernels import ntk as ntk
from .nets import *  # noqa: F403

__version__ = "0.1.0.dev0"
