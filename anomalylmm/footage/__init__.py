"""A frame becomes crops: which frames are looked at, who is followed, which pictures are kept."""
