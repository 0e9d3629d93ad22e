"""Measures the method on benchmarks: their files, the ablation, the report; plain functions that the flow calls too."""
