"""What the store adds up to, as plain data with every figure's n and time."""
