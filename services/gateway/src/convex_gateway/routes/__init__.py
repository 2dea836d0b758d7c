"""The REST operations, one file per resource; each handler loads, decides, saves and sends."""
