"""Decisions and the record: who may have what, where it goes, and what happened."""
