"""The verdict: what agents were promised beside what is stored."""
