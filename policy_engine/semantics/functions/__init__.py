"""The function libraries, one file a library; `catalogue` puts them in one visible tuple."""
