"""The live page that the gateway serves at `/`: plain files, no framework, nothing from elsewhere."""
