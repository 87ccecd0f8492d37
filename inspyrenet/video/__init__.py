"""Moving pictures: decoded, cut out and encoded side by side at bounded memory (extra video)."""
