"""Files of a tree: names, metadata and content, read at one end and made at the other."""
