"""Adapt Segment Anything to your own images from labels that cost almost nothing."""
