"""Who may write what in a channel's chat."""
