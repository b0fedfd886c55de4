"""`python -m controlplane.cli` is the `steppe` command."""

from controlplane.cli import main

main()
