"""KurrentDB's wire protocol: its official client, used directly, against our server process."""
