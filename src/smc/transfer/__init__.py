"""Moving files and blocks: both ends side by side."""
