"""The embedded cloud: an ECS-compatible API over QEMU."""
