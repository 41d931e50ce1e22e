"""What every domain says in the same words: refusals and values. No I/O, no clock, no chance."""
