"""What people and programs are told of: the events with their words, and how they go out by mail and webhooks."""
