"""NAPALM driver for OpenWrt on Netmiko, usable without the rest of Farola."""
