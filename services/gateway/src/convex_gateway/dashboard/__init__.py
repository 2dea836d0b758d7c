"""The pages that the gateway serves: the dashboard, built from services/gateway/dashboard, and `/docs`."""
