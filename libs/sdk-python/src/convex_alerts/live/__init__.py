"""The live feed: every change of every alert once, in order, over cuts and restarts."""
