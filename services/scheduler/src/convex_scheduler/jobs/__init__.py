"""The jobs that the scheduler does itself, one a file."""
