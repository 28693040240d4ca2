"""The engine's rules: what a run is, what its journal means, and what must happen next. Standard library only, no I/O."""
