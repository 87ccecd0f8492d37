"""Looking at data sets before a run: what they hold, how they look, and how they are divided."""
