"""What offers and their presentations may become: commands, state, decide, evolve. Pure."""
