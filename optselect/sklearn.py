"""scikit-learn's own interface: estimators that search for their optimizer."""
