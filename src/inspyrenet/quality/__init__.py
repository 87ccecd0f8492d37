"""How good a map is likely to be, estimated without ground truth from what the network gives in its one pass."""
