"""Where pages come from: folders, Git repositories and exports of wikis, read again only where they changed."""
