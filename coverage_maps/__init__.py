"""Who is covered, how poor they are, how much they use the portal, and where to build next."""
