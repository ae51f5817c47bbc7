"""The configuration: options, variables and files, their order, and who may decide what."""
