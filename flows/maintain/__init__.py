"""Upkeep: verify, clean and compact the store; erase footage."""
