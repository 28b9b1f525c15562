"""OpenWrt's `uci` as a pretend access point has it, traps included."""
