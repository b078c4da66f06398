"""Infinitely wide networks as estimators of scikit-learn."""

from .base import AbstractKernelEstimator as AbstractKernelEstimator
from .classifier import NTKClassifier as NTKClassifier
from .regressor import NNGPRegressor as NNGPRegressor
from .regressor import NTKRegressor as NTKRegressor
from .saving import load as load
