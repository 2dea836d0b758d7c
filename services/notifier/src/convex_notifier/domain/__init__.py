"""Pure decisions about deliveries: no I/O, no clock, no environment."""
