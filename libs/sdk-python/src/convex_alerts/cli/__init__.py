"""The command `convex`."""
