"""Filters and orders of lists (AIP-160, AIP-132): what people write, and the parameterised SQL that it stands for."""
