"""The self-audit: an alert of the installation's own through the whole path, once a minute."""
