"""Importing VPN accounts from a table: checked first, and told row by row what is wrong; then all of them or none."""
