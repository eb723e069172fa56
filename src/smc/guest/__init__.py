"""Making a copied system boot on its new machine."""
