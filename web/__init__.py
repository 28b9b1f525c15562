"""The Flask console, where the loop is seen and steered."""
