"""Clients of all kinds against real servers."""
