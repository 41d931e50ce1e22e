"""Who our customers are, who answers for them, and what they bought."""
