"""Offers that belong to no platform; each module below is one entry point."""
