"""The demonstration: a node, an archive and a modality on this machine; what went in and what came out."""
