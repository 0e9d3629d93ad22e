"""Erasing footage, whole and interrupted."""
