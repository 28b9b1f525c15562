"""Solves maximal covering problems: search, bounds, constraints, the price of fairness."""
