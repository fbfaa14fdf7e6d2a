"""A parse, mended, → the terms in it with their roles: one caption after the other (terms), or many at once (parts)."""
