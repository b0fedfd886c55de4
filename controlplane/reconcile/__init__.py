"""Making what exists agree with what is wanted: load, observe, plan, apply, save."""
