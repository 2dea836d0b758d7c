"""Convex Alerts on one machine: embedded stores, supervisor, demo."""
