"""Backend ``fixed``: the user says where the node is."""
