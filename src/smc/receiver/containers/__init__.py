"""The copied system as a container image: layers, their description, and the registry they go to."""
