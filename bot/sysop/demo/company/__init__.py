"""A small real company: its services, a load generator and a watcher, as processes on this machine.

It knows nothing of Sysop. What it offers is what a company offers: a folder with its addresses, commands for pipelines
that deploy, configure and clean up, Prometheus metrics, a Prometheus-like query API and Alertmanager webhooks. The
whole company also has search, an external acquirer, limits of capacity and a Kubernetes API, and breaks on demand.
"""
