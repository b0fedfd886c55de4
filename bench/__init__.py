"""What Steppe claims of its speed, measured again: each claim is a ratio of two things timed in one run."""
