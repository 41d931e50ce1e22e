"""What must be true of fitted models and of the equity policy."""
