"""The configuration: its schema, loading, checks, presets and the settings that are built from it."""
