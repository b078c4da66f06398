"""Studies of theorems on data of their own: each one command, resumable, with a page."""

from .catalogue import MODULES as MODULES
from .catalogue import find as find
from .run import read_theory_config as read_theory_config
from .run import run_theory as run_theory
from .study import Drawing as Drawing
from .study import Page as Page
from .study import Section as Section
from .study import Table as Table
from .study import TheoryStudy as TheoryStudy
