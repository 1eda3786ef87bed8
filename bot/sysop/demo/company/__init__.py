"""A small real company: three services, a load generator and a watcher, as processes on this machine.

It knows nothing of Sysop. What it offers is what a company offers: a folder with its addresses, a command that
deploys a version, Prometheus metrics, a Prometheus-like query API and Alertmanager webhooks.
"""
