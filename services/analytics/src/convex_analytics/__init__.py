"""Statistics from the alert history."""
