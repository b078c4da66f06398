"""What 1/width adds to the limit of infinite width."""

from .critical_net import critical_net as critical_net
from .critical_net import largest_learning_rate as largest_learning_rate
from .criticality import Criticality as Criticality
from .criticality import criticality as criticality
from .phases import PhaseDiagram as PhaseDiagram
from .phases import phase_diagram as phase_diagram
from .susceptibility import FixedPoint as FixedPoint
from .susceptibility import chi_parallel as chi_parallel
from .susceptibility import chi_perp as chi_perp
from .susceptibility import fixed_points as fixed_points
