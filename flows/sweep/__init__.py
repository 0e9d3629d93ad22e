"""Use case: the saved queries over what they have not covered yet."""
