"""The gateway: Envoy, its configuration derived from the contract, and what checks it."""
