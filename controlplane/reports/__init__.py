"""Figures for people: read only, from the ledger and the record."""
