"""One contract suite per port, run against every implementation of it."""
