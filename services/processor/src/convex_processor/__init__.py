"""Events to alerts: rules, suppression, the alert log."""
