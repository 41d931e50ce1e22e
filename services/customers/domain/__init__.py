"""What customers and their transactions may become: commands, state, decide, evolve. Pure."""
