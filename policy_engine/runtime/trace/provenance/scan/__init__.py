"""The words of provenance by simple scan, one a file: the plain twin that `provenance/index` must agree with."""
