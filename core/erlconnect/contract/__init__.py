"""The contract with plugins, which import it from ``erlconnect.api``."""
