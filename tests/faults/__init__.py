"""What an archive, or the network before it, can do to a delivery, and what has to come of it."""
