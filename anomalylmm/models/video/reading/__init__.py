"""Reading of videos, inside a child process: with decord as far as it can be trusted, else with PyAV."""
