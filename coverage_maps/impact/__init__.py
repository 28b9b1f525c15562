"""Deployments, and whether they did what was forecast."""
