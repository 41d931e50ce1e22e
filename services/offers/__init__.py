"""What we offer to customers, because of what they said or in spite of it."""
