"""What runs: the supervisor behind `farola up`, status and doctor."""
