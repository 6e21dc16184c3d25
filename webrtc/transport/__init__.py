"""One peer on the wire: ICE-lite, DTLS and SRTP, sans-IO, and the UDP port that all peers share."""
