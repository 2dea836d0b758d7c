"""Deliveries to channels: webhook, in-app; retries and ledger."""
