"""What the ports are made of; only these modules speak to AWS and the world."""
