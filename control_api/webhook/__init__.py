"""Webhooks: what is signed, whom it may be sent to, how it is sent and when it is tried again."""
