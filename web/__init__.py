"""HTTP: the API and the console. Parses, calls one service or lookup, presents; decides nothing."""
