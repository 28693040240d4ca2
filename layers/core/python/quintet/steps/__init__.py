"""The step kinds: one module each, and the registry that gathers them."""
