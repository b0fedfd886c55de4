"""What departments ask for in one place: its states, its items, who has to decide on it, and how it is carried out."""
