"""Lattice gauge fields, band structures and their topology."""

from .haar import haar as haar
from .haar import random_gauge as random_gauge
from .haar import random_links as random_links
from .links import Links as Links
from .links import dagger as dagger
from .links import gauge_transform as gauge_transform
from .links import identity_links as identity_links
from .links import shift as shift
from .links import transform_matrices as transform_matrices
from .loops import planes as planes
from .loops import plaquette as plaquette
from .loops import plaquettes as plaquettes
from .loops import polyakov_loop as polyakov_loop
from .loops import polyakov_loops as polyakov_loops
from .loops import rectangle as rectangle
from .loops import wilson_line as wilson_line
from .loops import wilson_loop as wilson_loop
