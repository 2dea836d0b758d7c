"""What analytics computes, without I/O."""
