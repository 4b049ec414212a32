"""Comparisons of methods over image sets and seeds. Uses all other rooms; nothing uses it."""
