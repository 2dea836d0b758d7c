"""Measurements, printed as tables with their conditions and with the peer beside us; `make bench`."""
