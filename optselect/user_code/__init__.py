"""What is known of a user's own Python code: its functions, the modules that they depend on, what has changed."""
