"""Images and sentences in one space: dual encoders."""
