"""Floor 5: telling people that they are asked. Each module implements `runtime.ports.notifier.Notifier`."""
