"""Finding what the inventory lacks: SNMP agents in a range, and which switch port each hangs on."""
