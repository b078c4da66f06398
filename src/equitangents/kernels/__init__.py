"""What a network becomes at infinite width: one open function `propagate`, its rules, and the driver."""

from . import conv as conv
from . import dense as dense
from . import duals as duals
from . import norm as norm
from . import pool as pool
from .activations import dual as dual
from .activations import second_moment as second_moment
from .driver import kernel as kernel
from .driver import nngp as nngp
from .driver import nngp_and_ntk as nngp_and_ntk
from .driver import ntk as ntk
from .empirical import empirical_ntk as empirical_ntk
from .kernel import Kernel as Kernel
from .kernel import Needs as Needs
from .linear import apply_weights as apply_weights
from .linear import global_average as global_average
from .linear import independent_average as independent_average
from .linear import joint_average as joint_average
from .monte_carlo import MonteCarlo as MonteCarlo
from .monte_carlo import monte_carlo as monte_carlo
from .propagate import needs as needs
from .propagate import propagate as propagate
from .stax import as_stax as as_stax
