"""What the relationship with customers is worth."""
