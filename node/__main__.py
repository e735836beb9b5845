"""``python -m node``: the same as the command ``deid-node``."""

from __future__ import annotations

import sys

from node.cli import main

if __name__ == "__main__":
    sys.exit(main())
