"""Domain, contracts and adapters that every Convex Alerts service shares."""
