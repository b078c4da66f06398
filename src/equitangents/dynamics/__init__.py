"""How networks train: gradient flow and descent of infinitely wide networks in closed form."""

from .flow import GradientDescent as GradientDescent
from .flow import GradientFlow as GradientFlow
from .posterior import Posterior as Posterior
from .posterior import nngp_posterior as nngp_posterior
from .rates import max_learning_rate as max_learning_rate
