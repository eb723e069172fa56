"""The destination cloud behind one Driver protocol."""
