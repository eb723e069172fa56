"""Making a copied system bootable on its new machine."""
