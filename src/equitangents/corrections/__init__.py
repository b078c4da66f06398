"""What 1/width adds to the infinitely wide network: recursions of finite-width tensors, generated, with their diagrams."""

from .term import Blob as Blob
from .term import Factor as Factor
from .term import Recursion as Recursion
from .term import Term as Term
