"""Runs as OpenTelemetry: the vendor's metrics of their answers, a trace of how they went, and the way out.

``points`` and ``spans`` make values of what is known, and are pure; ``sending`` hears, hands on and never
waits; ``outlet`` is the thread that sends, and ``exporting`` alone knows the SDK, behind the extra ``otel``.
"""
