"""802.11 captures: walked surveys and impostors. scapy runs in a process of its own."""
