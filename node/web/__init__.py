"""The console: what the node does, in a browser. `server` is the role, `visits` is how a page is made."""
