"""Conversations: each thread has a memory, and every message in it has one fate, wherever it was written."""

from sysop.conversations.stopping import Stopped
from sysop.conversations.talk import Begun, Conversations, Heard

__all__ = ["Begun", "Conversations", "Heard", "Stopped"]
