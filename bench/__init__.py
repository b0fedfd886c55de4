"""Measuring what the documents claim; `make bench-sweep` and its like."""
