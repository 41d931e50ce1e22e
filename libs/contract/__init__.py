"""Between messages and what is inside: parsing requests, storing events, reading options."""
