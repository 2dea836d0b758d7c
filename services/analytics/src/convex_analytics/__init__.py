"""Statistics and patterns from the alert history."""
