"""The published APIs, one package each; independent of each other."""
