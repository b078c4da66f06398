"""Networks that learn Chern numbers from link variables: data, loss, training, evaluation."""

from .checkpoint import load_state as load_state
from .checkpoint import resume as resume
from .checkpoint import save_state as save_state
from .data import ChernData as ChernData
from .evaluate import Evaluation as Evaluation
from .evaluate import Rescaling as Rescaling
from .evaluate import evaluate as evaluate
from .evaluate import local_fluxes as local_fluxes
from .evaluate import rescaling as rescaling
from .evaluate import transfer_accuracy as transfer_accuracy
from .evaluate import vacuum_output as vacuum_output
from .families import draw_bands as draw_bands
from .loss import chern_loss as chern_loss
from .network import chern_network as chern_network
from .train import ChernTraining as ChernTraining
from .train import State as State
from .train import start as start
from .train import train_steps as train_steps
