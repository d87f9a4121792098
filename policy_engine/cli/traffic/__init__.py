"""Traffic for commands: lines or cases become entries, a player puts them to a policy, answers become data."""
