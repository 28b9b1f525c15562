"""Rolls a frozen change out: waves, who carries them, how they are watched and judged."""
