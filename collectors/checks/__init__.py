"""Active checks: whether a client gets an address, a name and the portal."""
