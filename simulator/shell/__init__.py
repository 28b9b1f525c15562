"""A small POSIX shell over a pretend access point's files. No process of the host is ever run."""
