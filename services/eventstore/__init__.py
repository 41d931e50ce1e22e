"""The embedded store over the network: KurrentDB's wire protocol in front of the port."""
