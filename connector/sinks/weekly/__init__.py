"""The weekly digest as a mail: what it tells, in which words, with which charts."""
