"""The whole system on one machine: `python -m deploy.local`, or `System` as a context manager."""
