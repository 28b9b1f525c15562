"""A pretend city: access points on real sockets, residents who use the portal. All made up."""
