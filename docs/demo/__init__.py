"""What `make demo` shows: rules deciding a real agent framework, and recorded traffic."""
