"""Catalogues of the console's words. The words in code are English; Chinese is what most people read."""
