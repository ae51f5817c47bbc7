"""Connections: how they are opened."""
