"""The verbs. Each authorizes, decides and records in the caller's session, and never commits."""
