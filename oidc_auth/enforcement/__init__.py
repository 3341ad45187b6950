"""Decide whether a caller may do what an event wants, on any server.

``event_rules.py`` has one row for each event. ``enforce.py`` decides an event and writes the result into its value.
This package imports no server SDK. An adapter passes in what only its server can tell (``ServerFacts``).
"""
