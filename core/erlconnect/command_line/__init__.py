"""The command ``erlconnect``: one file per command, and what they share.

Nothing here imports a backend, a library of one, pydantic or asyncio before a command needs it.
"""
