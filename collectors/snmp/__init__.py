"""Polls devices over SNMP: profiles say what to ask, a poller asks it, decoding is pure."""
