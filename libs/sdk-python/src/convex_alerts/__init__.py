"""Python client and the convex command for Convex Alerts."""
