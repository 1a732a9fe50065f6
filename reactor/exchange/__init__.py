"""What clients do to a market: orders laid over the tape, and the accounts they are for."""
