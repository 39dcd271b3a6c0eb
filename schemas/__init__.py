"""What passes between stages: recipes, artifacts, records and tables. No TensorFlow, no Beam, nothing else of ours."""
