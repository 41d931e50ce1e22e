"""What services share; it knows none of them."""
