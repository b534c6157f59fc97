"""What must be true of a checkout before it may carry production traffic: rules, what they found, and the gate."""
