"""Gram matrices larger than memory: computed in tiles, kept on disk, solved from there."""

from .cg import NotConvergedError as NotConvergedError
from .cg import conjugate_gradients as conjugate_gradients
from .cholesky import DenseFactor as DenseFactor
from .cholesky import DiskFactor as DiskFactor
from .compute import compute_gram as compute_gram
from .matrix import DenseMatrix as DenseMatrix
from .matrix import Leading as Leading
from .matrix import SymmetricMatrix as SymmetricMatrix
from .nystrom import Nystrom as Nystrom
from .solve import Solved as Solved
from .solve import solve as solve
from .store import GramMatrix as GramMatrix
from .store import GramStore as GramStore
from .tile import GramSpec as GramSpec
from .tile import gram_tile as gram_tile
from .zarrs import DamagedError as DamagedError
