"""What a device shall be: variables by level, checked, rendered to a config that fits it."""
