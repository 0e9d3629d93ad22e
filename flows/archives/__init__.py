"""Access to the files of an archive, whether it is a folder or an address such as ``s3://bucket/prefix``."""
