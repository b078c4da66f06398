"""Figures of a study: each function takes the result alone and returns a `matplotlib.figure.Figure`."""

from .bands import band_structure as band_structure
from .bands import berry_curvature as berry_curvature
from .classes import audit_heatmap as audit_heatmap
from .classes import confusion_difference as confusion_difference
from .classes import recall_cost as recall_cost
from .corrections import fluctuations_against_layer as fluctuations_against_layer
from .corrections import means_against_width as means_against_width
from .cost import accuracy_against_cost as accuracy_against_cost
from .data_efficiency import data_factors as data_factors
from .data_efficiency import error_curves as error_curves
from .data_efficiency import orbit_curves as orbit_curves
from .ensembles import deviation_against_members as deviation_against_members
from .ensembles import equivariance_against_time as equivariance_against_time
from .ensembles import same_prediction_against_members as same_prediction_against_members
from .finite_width import means_against as means_against
from .irreps import loss_by_irrep as loss_by_irrep
from .irreps import spectrum_by_irrep as spectrum_by_irrep
from .learning import error_against_training_size as error_against_training_size
from .loops import loops_found_against_true as loops_found_against_true
from .phases import phases as phases
from .scaling import measured_against as measured_against
from .style import save as save
from .style import to_inline as to_inline
from .style import to_png as to_png
from .style import to_svg as to_svg
from .style import why_empty as why_empty
