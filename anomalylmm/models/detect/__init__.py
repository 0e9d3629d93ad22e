"""Where persons are: detectors and the tracker."""
