"""Changes: prepared, frozen, sealed, allowed, and accounted for."""
