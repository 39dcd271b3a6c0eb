"""Decides which stages have to run, and runs them: recipe, settings, stale stages, processes. No TensorFlow, no Beam."""
