"""The paper's experiments: its data sets, its tables, and every method that it compares."""
