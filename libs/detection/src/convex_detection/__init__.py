"""What is unusual in a series of numbers, and what comes next: streaming, in constant memory, without I/O."""
