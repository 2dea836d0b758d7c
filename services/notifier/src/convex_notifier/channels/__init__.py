"""Channels: one file each, behind one Protocol."""
