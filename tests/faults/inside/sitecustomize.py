"""What Python imports by itself where this folder is on PYTHONPATH: failures for the processes of a node under test.

Nothing of this is in the product. `DEID_NODE_DIES_AT` names the folder in which a test orders deaths (`dying`); without
it, instances order failures (`failing`).
"""

from __future__ import annotations

import os

import wrapping

if os.environ.get("DEID_NODE_DIES_AT"):
    import dying as orders
else:
    import failing as orders

wrapping.install(orders.WRAPPED)
