"""What will probably happen in a framework, from the hours of its past. Pure."""
