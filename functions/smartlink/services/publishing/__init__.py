"""Publish: stores what a segment sends."""
