"""The conformance checker for any HLS address: rules that judge what was fetched, and a shell that fetches.

It shares no code with the renderer of `hls`: what one of them misreads, the other one must not.
"""
