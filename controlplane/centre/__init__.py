"""The model centre: data files of a real one, and the loader that brings them in through the services."""
