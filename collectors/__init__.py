"""Measures what was built: SNMP polls and traps, imports of portal usage, 802.11 captures."""
