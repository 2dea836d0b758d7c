"""What a workspace's alert history repeats: pure decisions over episodes."""
