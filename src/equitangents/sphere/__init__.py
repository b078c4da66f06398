"""Signals on the circle and the sphere: harmonics, rotations, and networks over SO(2) and SO(3) with their kernels."""

from .conv import RotationConv as RotationConv
from .density import spherical_densities as spherical_densities
from .flow import EquivariantFlow as EquivariantFlow
from .groups import SO2 as SO2
from .groups import SO3 as SO3
from .harmonics import real_harmonics as real_harmonics
from .lift import RotationLift as RotationLift
from .pool import RotationPool as RotationPool
from .pool import RotationProjection as RotationProjection
from .rotations import euler_angles as euler_angles
from .rotations import random_rotations as random_rotations
from .rotations import rotation_matrix as rotation_matrix
from .signals import from_tensors as from_tensors
from .signals import from_vectors as from_vectors
from .signals import rotate as rotate
from .signals import rotate_circle as rotate_circle
from .signals import to_tensors as to_tensors
from .signals import to_vectors as to_vectors
from .transform import analysis as analysis
from .transform import spherical_grid as spherical_grid
from .transform import synthesis as synthesis
from .transform import to_complex as to_complex
from .transform import to_real as to_real
from .wigner import wigner_D as wigner_D
from .wigner import wigner_d as wigner_d
from .wigner import wigner_real as wigner_real
