"""The study `wilson-loops`: which networks learn Wilson loops, and whether they know larger lattices."""

from .study import STUDY as STUDY
