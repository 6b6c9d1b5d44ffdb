"""What people look at: the report of a study and pictures of optimizers."""
