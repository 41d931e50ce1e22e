"""What may happen to feedback and to the actions that answer it."""
