"""The plugins that ship with Sysop. Each module here is one plugin and imports `sysop.api` only."""
