"""Faces in head volumes: where they are, what is done to them, and what is left (PS3.15 2024e Section E.3.2)."""
