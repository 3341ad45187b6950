"""What the operator wrote: its shape, its meaning, the providers' presets, and what is built from it."""
