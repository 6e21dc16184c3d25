"""REST routes and the services behind them: streams, eligibility, keys, tokens."""
