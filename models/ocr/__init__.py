"""The networks for text in images: where they come from."""
