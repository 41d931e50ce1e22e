"""What every service stands on: server, clients, identity, deadlines, errors, health, drain."""
