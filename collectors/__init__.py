"""Measures the city: SNMP polls and traps (`snmp/`), portal usage (`portal/`), 802.11 captures
(`airwaves/`). What they find goes into the time series and the inventory's events.
"""
