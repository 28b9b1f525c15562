"""Makes the inventory so: intent to config, frozen changes, pushes."""
