"""Every setting of a recipe, and what each stage reads of it."""
