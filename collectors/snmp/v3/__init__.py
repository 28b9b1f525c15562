"""SNMPv3: users and keys (RFC 3414, 3826, 7860), messages (RFC 3412) and their poller."""
