"""The pages that the gateway serves at `/` and `/docs`: plain files, no framework, nothing from elsewhere."""
