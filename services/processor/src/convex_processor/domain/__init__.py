"""The processor's decisions: conditions, suppression, folding. Pure: no I/O, and time is passed in."""
