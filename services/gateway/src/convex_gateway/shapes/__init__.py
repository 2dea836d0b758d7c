"""What requests carry and answers hold, one file per resource; OpenAPI is made from these."""
