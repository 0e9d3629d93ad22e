"""What a body's joints say about what the person does: stills, changes over time, and words."""
