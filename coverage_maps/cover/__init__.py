"""Who is covered: the city laid flat, what sends, the exact union, groups of residents, uptime."""
