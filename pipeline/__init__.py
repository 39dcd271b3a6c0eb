"""When stages run: from a recipe to settings, to what is stale and why, to the work. No TensorFlow, no Beam."""
