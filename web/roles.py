"""What people may be: apart from `web.users`, so that the command line need not load a database."""

from __future__ import annotations

ROLES = ("viewer", "operator", "planner", "engineer", "admin")
"""From least to most; `viewer` is what a new person gets unless more is asked for."""
