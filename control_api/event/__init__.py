"""Events that others are told of: through an outbox that a crash does not lose."""
