"""A self-hosted Server Migration Center: moves running servers into a cloud as bootable images."""
