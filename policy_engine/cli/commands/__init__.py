"""One file a command; all are listed in `cli/app.py`. None of them knows another."""
