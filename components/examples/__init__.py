"""Examples as training data: batches, their order, and images resident in memory."""
