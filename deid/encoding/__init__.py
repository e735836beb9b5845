"""Data Sets in bytes: transfer syntaxes, reading, writing, text (PS3.5)."""
