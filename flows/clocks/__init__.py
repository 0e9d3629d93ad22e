"""Camera and wall-clock time of videos: what paths, containers and file times say, and what to doubt."""
