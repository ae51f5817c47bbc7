"""Backends: each finds nodes in one kind of directory; a folder or file for each.

They know the contract ``erlconnect.api`` and the sockets of ``erlconnect.net``, and not each other.
``do53`` carries DNS queries for those that look names up.
"""
