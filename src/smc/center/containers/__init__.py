"""Container images that this center keeps itself, where no registry was named."""
