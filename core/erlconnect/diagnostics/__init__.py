"""What ``erlconnect doctor`` looks at, step by step.

``steps`` says what a step is, ``remote_steps`` goes the way to a target and asks the node,
``local_steps`` looks at this machine; ``releases`` knows who talks with whom.
"""
