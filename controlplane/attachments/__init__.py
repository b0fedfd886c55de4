"""Files that come with a request: what is taken, by what is in them, and why the rest is refused. No database here."""
