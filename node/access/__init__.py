"""Who gets in, and how much they may do: certificates, users, limits; TLS in both directions."""
