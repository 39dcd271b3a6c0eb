"""How the work is done: one folder per stage. Stages never import one another; they meet in ``schemas``."""
