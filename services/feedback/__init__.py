"""What customers say, what we do about it, and whether they were told."""
