"""How good new images are: distances from real ones, precision and recall, usefulness, and copies of training images."""
