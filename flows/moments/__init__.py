"""The frames of a candidate's moment, fetched from the archive for the judge."""
