"""What the network and processes need; nothing of the BEAM."""
