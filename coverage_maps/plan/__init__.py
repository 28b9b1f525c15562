"""Where to deploy next: candidates, weights, the choice and what it brings, scenarios."""
