"""Transports that belong to no platform."""
