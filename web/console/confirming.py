"""A page that confirms an order for many things at once: the word that ends them is typed, and known when it is."""


def typed_right(typed: str, *words: str) -> bool:
    """Tell whether one of `words` was typed: that of the page, or of another language that people know."""
    return typed.strip().casefold() in {word.casefold() for word in words}
