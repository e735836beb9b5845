"""What the node is made of: a bill of materials (CycloneDX) and a list of licences."""
