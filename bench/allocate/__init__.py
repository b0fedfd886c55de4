"""How fast one VM is allocated over HTTP, beside OpenStack Placement, the nearest thing in wide use."""
