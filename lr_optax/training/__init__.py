"""A schedule inside an optimizer: attach it, read it, and continue from it in another run."""
