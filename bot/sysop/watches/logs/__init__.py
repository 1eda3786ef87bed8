"""Log files under a watch: lines become templates, templates have rates, and rates that drift are findings."""
