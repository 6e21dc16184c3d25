"""A broadcast and its viewers in one WebRTC process: who gets which packets. Pure."""
