"""The use cases: what Quintet does, over ports. Standard library and domain only."""
