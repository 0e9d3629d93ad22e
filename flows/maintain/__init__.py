"""Use case: the store is proven, cleaned, compacted; footage is erased."""
