"""Value types and pure decisions that more than one service needs. No I/O, no clock, no environment."""
