"""What happens to one device: its commit, its confirmation, its way back, its restart."""
