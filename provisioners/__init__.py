"""The outside world behind one contract. A leaf: it knows nothing of Steppe's records, requests or departments."""
