"""A device's life: adopted, swapped, retired, its credentials rotated."""
