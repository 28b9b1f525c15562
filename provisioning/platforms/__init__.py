"""What can be done to a device of each platform, and who does it."""
