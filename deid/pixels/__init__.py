"""Pixel Data: what of it is image, and what else lies in its bytes."""
