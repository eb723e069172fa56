"""The control plane: API, jobs, fleet."""
