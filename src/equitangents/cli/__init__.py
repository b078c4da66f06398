"""The command line: parses, calls `studies`, prints; no mathematics."""

from .app import main as main
