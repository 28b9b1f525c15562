"""`farola provision …` and the commands of a device's life."""
