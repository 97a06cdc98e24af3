"""The arithmetic of the reports: counts in, figures with their intervals out. Nothing else."""
