"""Tests of deid-node, and what they share: factories of instances, an archive, a running node."""
