"""The command line as `python -m equitangents`."""

from .cli import main

if __name__ == "__main__":
    main()
