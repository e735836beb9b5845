"""Storage commitment (PS3.4 Annex J): to the senders as its SCP, from the archives as its SCU."""
