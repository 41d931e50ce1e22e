"""The four contexts, and the embedded store over the network."""
