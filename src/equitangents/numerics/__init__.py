"""Functions safe at their singular points, and Gaussian expectations by quadrature."""

from .safe import affine_defect as affine_defect
from .safe import angle_of_defect as angle_of_defect
from .safe import arcsin_safe as arcsin_safe
from .safe import difference_defect as difference_defect
from .safe import relu_defect as relu_defect
from .safe import safe_divide as safe_divide
from .safe import safe_sqrt as safe_sqrt
from .safe import sine_minus_angle_cosine as sine_minus_angle_cosine
