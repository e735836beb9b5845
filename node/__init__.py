"""The network node around `deid`.

One instance's journey: `scp` receives → `spool`, `ledger` → `worker` cleans (deid) → outbox → `forwarder` sends it on;
what is refused → `quarantine`.
"""
