"""Tests of access to archives."""
