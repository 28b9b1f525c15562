"""Demand from use of the portal: an index, and a model that says how sure it is."""
