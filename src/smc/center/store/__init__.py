"""What the center remembers: one repository a subject, frozen values in and out."""
