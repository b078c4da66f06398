"""Functions safe at their singular points, and Gaussian expectations by quadrature."""

from .gaussian import derivatives as derivatives
from .gaussian import dual_by_quadrature as dual_by_quadrature
from .gaussian import expectation_1d as expectation_1d
from .gaussian import expectation_2d as expectation_2d
from .gaussian import gauss_hermite as gauss_hermite
from .gaussian import quadrature_error as quadrature_error
from .gaussian import trapezoidal as trapezoidal
from .hermite import Expansion as Expansion
from .hermite import expansion as expansion
from .hermite import hermite_coefficients as hermite_coefficients
from .hermite import parity_of as parity_of
from .hermite import series_dual as series_dual
from .hermite import series_tails as series_tails
from .materialise import materialise as materialise
from .safe import affine_defect as affine_defect
from .safe import angle_of_defect as angle_of_defect
from .safe import arcsin_safe as arcsin_safe
from .safe import arcsine_ratio as arcsine_ratio
from .safe import difference_defect as difference_defect
from .safe import relu_defect as relu_defect
from .safe import safe_divide as safe_divide
from .safe import safe_sqrt as safe_sqrt
from .safe import sine_minus_angle_cosine as sine_minus_angle_cosine
from .threads import on_one_thread as on_one_thread
