"""What is meant against what runs."""
