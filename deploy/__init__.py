"""How the system is put up: on one machine, for a demo, on Kubernetes."""
