"""The local cloud as tests use it: the server's process, a client of its API, and an endpoint for http steps."""
