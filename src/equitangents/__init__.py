"""Neural networks with symmetries, at infinite and at finite width."""

__version__ = "0.1.0.dev0"
