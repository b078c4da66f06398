"""What 1/width adds to an infinitely wide network: generated recursions of finite-width tensors, their diagrams."""

from .diagrams import Diagram as Diagram
from .diagrams import diagrams as diagrams
from .forest import Forest as Forest
from .forest import graft as graft
from .forest import pairings as pairings
from .generate import merged as merged
from .generate import recursion as recursion
from .show import latex as latex
from .show import text as text
from .show import to_sympy as to_sympy
from .tensors import FOUR_LEGS as FOUR_LEGS
from .tensors import TENSORS as TENSORS
from .tensors import Tensor as Tensor
from .tensors import tensor as tensor
from .tensors import tensors_with as tensors_with
from .term import Blob as Blob
from .term import Factor as Factor
from .term import Recursion as Recursion
from .term import Term as Term
