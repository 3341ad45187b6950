"""Whose signature counts? Keys: fetched, discovered, checked for strength, selected and kept fresh."""
