"""What the services need from the world, one file a capability; adapters/ has files of the same names."""
