"""Symmetries of data and functions: orbits, augmentation, averages, and measures of invariance."""

from .augmentation import augment as augment
from .averages import GroupAverage as GroupAverage
from .averages import group_average as group_average
from .continuous import EquivarianceBound as EquivarianceBound
from .continuous import equivariance_bound as equivariance_bound
from .deviation import Deviation as Deviation
from .deviation import deviation_probability as deviation_probability
from .deviation import ensemble_deviation_bound as ensemble_deviation_bound
from .deviation import gap_variance as gap_variance
from .deviation import members_for as members_for
from .matching import Match as Match
from .matching import match_learning_rate as match_learning_rate
from .metrics import equivariance_error as equivariance_error
from .metrics import invariance_gap as invariance_gap
from .metrics import orbit_deviation as orbit_deviation
from .metrics import orbit_same_prediction as orbit_same_prediction
from .metrics import symmetric_kl as symmetric_kl
from .orbits import orbit as orbit
from .orbits import outputs_on_orbit as outputs_on_orbit
from .spaces import projection_commutator as projection_commutator
from .spaces import space_defect as space_defect
from .spaces import support_is_invariant as support_is_invariant
from .violation import orbit_covariance as orbit_covariance
from .violation import predicted_orbit_deviation as predicted_orbit_deviation
from .violation import violation_variance as violation_variance
