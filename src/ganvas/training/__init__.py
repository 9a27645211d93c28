"""Training: the one loop, and what it writes into a run folder."""
