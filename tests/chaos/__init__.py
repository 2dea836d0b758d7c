"""What holds while everything is killed."""
