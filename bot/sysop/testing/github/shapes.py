"""The parts of GitHub's answers that are long and say little: repositories, and what lies between two commits."""

from __future__ import annotations

import hashlib
from typing import Any

from sysop.testing.wire import START, iso

_ADDRESSES = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]


def sha(ref: str) -> str:
    """Return the commit a ref stands for."""
    return hashlib.sha1(ref.encode()).hexdigest()  # noqa: S324  it is what git uses


def account(api: str, login: str) -> dict[str, Any]:
    """Return a user."""
    urls = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events")
    return {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": f"{api}/avatar",
        "gravatar_id": "",
        "url": f"{api}/users/{login}",
        "html_url": f"{api}/{login}",
        **{f"{name}_url": f"{api}/users/{login}/{name}" for name in urls},
        "received_events_url": f"{api}/users/{login}/received_events",
        "type": "User",
        "site_admin": False,
    }


def repository(api: str, name: str) -> dict[str, Any]:
    """Return a repository."""
    base, (owner, short) = f"{api}/repos/{name}", name.split("/")
    return {
        "id": 1,
        "node_id": "R_1",
        "name": short,
        "full_name": name,
        "owner": account(api, owner),
        "private": True,
        "html_url": f"{api}/{name}",
        "description": None,
        "fork": False,
        "url": base,
        **{f"{one}_url": f"{base}/{one}" for one in _ADDRESSES},
    }


def commit(api: str, name: str, ref: str) -> dict[str, Any]:
    """Return the commit of a ref."""
    base, who = f"{api}/repos/{name}", {"name": "Ada", "email": "ada@shop.test", "date": iso(START)}
    return {
        "url": f"{base}/commits/{sha(ref)}",
        "sha": sha(ref),
        "node_id": f"C_{sha(ref)[:8]}",
        "html_url": f"{api}/{name}/commit/{sha(ref)}",
        "comments_url": f"{base}/commits/{sha(ref)}/comments",
        "commit": {
            "url": f"{base}/git/commits/{sha(ref)}",
            "author": who,
            "committer": who,
            "message": f"release {ref}\n\nmore",
            "comment_count": 0,
            "tree": {"sha": sha(f"tree {ref}"), "url": f"{base}/git/trees/{sha(ref)}"},
        },
        "author": account(api, "ada"),
        "committer": account(api, "ada"),
        "parents": [],
    }


def comparison(api: str, name: str, one: str, other: str) -> dict[str, Any]:
    """Return what lies between two refs: one commit, one file."""
    base, page = f"{api}/repos/{name}", f"{api}/{name}/compare/{one}...{other}"
    file = {
        "sha": sha("cart.py"),
        "filename": "cart.py",
        "status": "modified",
        "additions": 12,
        "deletions": 3,
        "changes": 15,
        "blob_url": f"{api}/{name}/blob/{sha(other)}/cart.py",
        "raw_url": f"{api}/{name}/raw/{sha(other)}/cart.py",
        "contents_url": f"{base}/contents/cart.py?ref={sha(other)}",
    }
    return {
        "url": f"{base}/compare/{one}...{other}",
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": commit(api, name, one),
        "merge_base_commit": commit(api, name, one),
        "status": "ahead",
        "ahead_by": 1,
        "behind_by": 0,
        "total_commits": 1,
        "commits": [commit(api, name, other)],
        "files": [file],
    }
