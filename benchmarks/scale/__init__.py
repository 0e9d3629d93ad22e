"""What searching costs against the number of crops and of queries, in time and memory."""
