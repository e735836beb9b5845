"""What was done, by study and by project: counts for a person who answers for it, nothing of an instance."""
