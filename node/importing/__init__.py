"""Reads what other de-identification tools are configured with, and writes it as a profile or a region file."""
