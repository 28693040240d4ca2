"""The local cloud: the deployment that AWS gets, in one process on this machine."""
