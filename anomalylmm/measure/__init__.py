"""How good results are: retrieval metrics, scores of clips, calibration, incidents."""
