"""The names of the encoders for H.264 that a worker can use; no codec is loaded for them."""

from __future__ import annotations

HARDWARE_NAMES = ("h264_nvenc", "h264_qsv", "h264_amf", "h264_v4l2m2m")
"""In order of preference: NVENC has the best pictures per bit at low delay and costs the processor nothing; Quick Sync
comes near and is in most machines; AMF's pictures need more bits; V4L2 drivers differ from board to board, most give
no High profile and hold pictures back, which the trial finds out."""

SOFTWARE = "libx264"
"""What is always there, and takes over from hardware that fails."""
