"""The history of the store's tables, applied at every start."""
