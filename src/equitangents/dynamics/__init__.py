"""How networks train: infinitely wide ones in closed form, finite ones and deep ensembles by gradient descent."""

from .cost import count_parameters as count_parameters
from .cost import flops as flops
from .drift import KernelDrift as KernelDrift
from .drift import descent as descent
from .drift import kernel_drift as kernel_drift
from .ensemble import Ensemble as Ensemble
from .ensemble import default_chunk as default_chunk
from .ensemble import draw_member as draw_member
from .ensemble import ensemble as ensemble
from .ensemble import predict_ensemble as predict_ensemble
from .evidence import Fitted as Fitted
from .evidence import fit_hyperparameters as fit_hyperparameters
from .evidence import log_marginal_likelihood as log_marginal_likelihood
from .flow import GradientDescent as GradientDescent
from .flow import GradientFlow as GradientFlow
from .functionflow import EnsembleMoments as EnsembleMoments
from .functionflow import FunctionFlow as FunctionFlow
from .posterior import Posterior as Posterior
from .posterior import nngp_posterior as nngp_posterior
from .posterior import ntkgp_posterior as ntkgp_posterior
from .rates import max_learning_rate as max_learning_rate
from .taylor import linearize as linearize
from .taylor import taylor_expand as taylor_expand
from .train import Trained as Trained
from .train import train as train
from .trajectory import Prediction as Prediction
