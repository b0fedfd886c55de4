"""The ledger: owners, resource classes and amounts. A leaf: it knows nothing of VMs, departments or requests."""
