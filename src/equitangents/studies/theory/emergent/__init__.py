"""Emergent equivariance: a study of ensembles that learn a symmetry from augmented data."""

from .page import STUDY as STUDY
