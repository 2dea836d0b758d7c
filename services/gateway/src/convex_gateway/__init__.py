"""REST, ingest, WebSocket and the live page of Convex Alerts."""
