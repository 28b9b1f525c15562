"""What devices ran: kept in git without secrets, fetched, put back."""
