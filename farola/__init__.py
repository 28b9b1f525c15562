"""Ground floor: settings, errors, keys, and the command line that names every room's commands."""

__version__ = "0.1.0"
