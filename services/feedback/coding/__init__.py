"""What words are about, how they feel and in which language they are: ports, and adapters."""
