"""What `make bench` measures: ratios against a named limit or peer, in one run."""
