"""Encoded rungs and audio: the encoder table, the PyAV pipeline, the worker process and its supervisor."""
