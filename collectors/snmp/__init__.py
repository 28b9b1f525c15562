"""Polls access points over SNMP and receives their traps."""
