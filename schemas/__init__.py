"""What passes between stages: recipes, artifacts, records and tables. No TensorFlow, no Beam, no other package of ours."""
