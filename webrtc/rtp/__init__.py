"""RTP: access units cut into packets once, and sent to everybody."""
