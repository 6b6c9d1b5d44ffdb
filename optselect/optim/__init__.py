"""How an optimizer is declared: hyperparameters, rules, schedules, clipping, configurations."""
