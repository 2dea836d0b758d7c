"""How much whom: rates of requests and events, and quotas of what a workspace may have."""
