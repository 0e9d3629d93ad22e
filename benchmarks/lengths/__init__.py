"""What indexing costs against the length of a video and the number of cameras."""
