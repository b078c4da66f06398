"""Groups, their subgroups and products, and how they act on arrays: pure algebra, printable values."""

from .action import Action as Action
from .action import image_action as image_action
from .action import matrix_action as matrix_action
from .action import permutation_action as permutation_action
from .action import trivial_action as trivial_action
from .families import cyclic as cyclic
from .families import dihedral as dihedral
from .families import direct_product as direct_product
from .families import semidirect_product as semidirect_product
from .families import symmetric as symmetric
from .finite_group import FiniteGroup as FiniteGroup
from .finite_group import Subgroup as Subgroup
from .planar import PointGroup as PointGroup
from .planar import TorusGroup as TorusGroup
from .planar import image_groups as image_groups
from .planar import p4 as p4
from .planar import p4m as p4m
from .planar import pixel_permutation as pixel_permutation
from .planar import point_group as point_group
from .planar import translations as translations
