"""Every row of PS3.15 Table E.1-1, with every option and at every depth, through the engine: `make e11`."""
