"""Secrets of every kind, each in a text that carries it, different each time."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

_LETTERS = string.ascii_letters + string.digits


def _random(dice: random.Random, length: int, letters: str = _LETTERS) -> str:
    return "".join(dice.choice(letters) for _ in range(length - 1)) + str(dice.randint(0, 9))


def kinds(dice: random.Random) -> dict[str, tuple[str, str]]:
    """Return (secret, text that holds it) of every kind, different each time."""

    def some(length: int, letters: str = _LETTERS) -> str:
        return _random(dice, length, letters)

    upper = string.ascii_uppercase + string.digits
    pem = "\n".join(some(64) for _ in range(3))
    found = {
        "aws": f"AKIA{some(16, upper)}",
        "aws session": f"ASIA{some(16, upper)}",
        "google key": f"AIza{some(35)}",
        "google token": f"ya29.{some(40)}",
        "github": f"ghp_{some(36)}",
        "github server": f"ghs_{some(36)}",
        "github fine-grained": f"github_pat_{some(60)}",
        "gitlab": f"glpat-{some(20)}",
        "slack bot": f"xoxb-{some(12, string.digits)}-{some(24)}",
        "slack app": f"xapp-1-{some(12, upper)}-{some(30)}",
        "anthropic": f"sk-ant-api03-{some(40)}",
        "openai": f"sk-proj-{some(48)}",
        "stripe": f"sk_live_{some(24)}",
        "npm": f"npm_{some(36)}",
        "pypi": f"pypi-{some(60)}",
        "hugging face": f"hf_{some(34)}",
        "vault": f"hvs.{some(24)}",
        "sendgrid": f"SG.{some(22)}.{some(43)}",
        "jwt": f"eyJ{some(20)}.eyJ{some(30)}.{some(40)}",
    }
    carried = {name: (secret, f"the value is {secret}, said the log") for name, secret in found.items()}
    word = some(14)
    carried["azure"] = (some(44), "")
    carried["azure"] = (carried["azure"][0], f"DefaultEndpointsProtocol=https;AccountKey={carried['azure'][0]};")
    carried["slack webhook"] = (word, f"https://hooks.slack.com/services/T0000/B0000/{word}")
    carried["pem"] = (pem, f"-----BEGIN RSA PRIVATE KEY-----\n{pem}\n-----END RSA PRIVATE KEY-----")
    carried["url"] = (word, f"postgresql://sysop:{word}@db.example:5432/sysop")
    carried["bearer"] = (some(30), "")
    carried["bearer"] = (carried["bearer"][0], f"curl -H 'Authorization: Bearer {carried['bearer'][0]}'")
    carried["basic"] = (word, f'"authorization": "Basic {word}"')
    carried["password"] = (word, f"password={word}")
    carried["password in yaml"] = (word, f"db_password: '{word}'")
    carried["api key in json"] = (word, f'{{"api_key": "{word}"}}')
    carried["client secret"] = (word, f"client_secret={word}&grant=1")
    carried["token"] = (word, f"the target says token={word}")
    return carried


def planted(count: int) -> Iterator[tuple[str, str, str]]:
    dice = random.Random(7)
    while True:
        for kind, (secret, carrier) in kinds(dice).items():
            yield kind, secret, carrier
            count -= 1
            if count <= 0:
                return
