"""Backends: each folder knows one place where nodes can be found.

Nothing here imports another plugin, or of erlconnect anything but ``erlconnect.api``.
"""
