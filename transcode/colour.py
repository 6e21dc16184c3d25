"""Code points of colours (ISO/IEC 23091-2) that decoders tell and pictures are tagged with."""

PQ, HLG = 16, 18
"""TransferCharacteristics of high dynamic range."""

BT709, BT2020 = 1, 9
"""ColourPrimaries; the first is a transfer characteristic and a matrix as well."""
