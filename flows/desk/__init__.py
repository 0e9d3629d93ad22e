"""Use case: the review desk, a web page on which people look at incidents, play them and decide."""
