"""Floor 5: spans and metrics for OpenTelemetry; the only importer of it (extra `otel`).

`OpenTelemetry` implements `runtime.ports.telemetry.Telemetry`, `Instruments` is told the records that the audit keeps
(`runtime.ports.audit.Watcher`). Names follow the semantic conventions for generative AI; `docs/telemetry.md` lists them.
"""
