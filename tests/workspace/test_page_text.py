"""What the page makes of text: mrkdwn, Markdown, and anything hostile, as the browser itself builds it."""

from __future__ import annotations

import random

import pytest
from playwright.async_api import expect

from workspace.page_kit import Screen, Stage

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = pytest.mark.asyncio(loop_scope="session")

RENDER = """async ([module, name, texts]) => {
    const make = (await import(`/${module}.js`))[name];
    return texts.map((text) => {
        const holder = document.createElement("div");
        holder.append(...make(text));
        return holder;
    }).map((holder) => READ);
}"""
HTML = RENDER.replace("READ", "holder.innerHTML")
DANGERS = RENDER.replace(
    "READ",
    """[...holder.querySelectorAll("*")].flatMap((one) => [
        ...(/^(A|B|BR|BLOCKQUOTE|CODE|DIV|EM|H[3-6]|HR|INPUT|LI|OL|P|PRE|S|SPAN|STRONG|TABLE|TBODY|TD|TH|THEAD|TIME|TR|UL)$/
            .test(one.tagName) ? [] : [one.tagName]),
        ...[...one.attributes].map((each) => each.name)
            .filter((each) => !/^(class|href|target|rel|title|data-goto|type|disabled|checked|start)$/.test(each)),
        ...(one.tagName === "A" && !/^(https?|mailto):/.test(one.href) ? [one.href] : []),
    ])""",
)
LINK = '<a href="{0}" target="_blank" rel="noopener noreferrer" title="{0}">{1}</a>'

MRKDWN = {
    "*bold* _it_ ~no~ `code`": "<strong>bold</strong> <em>it</em> <s>no</s> <code>code</code>",
    "*bold _and it_*": "<strong>bold <em>and it</em></strong>",
    "2*3*4 and snake_case_name": "2*3*4 and snake_case_name",
    "* not a list*": "* not a list*",
    "one\ntwo": "one<br>two",
    "```\na < b\n*x*\n```": "<pre><code>a &lt; b\n*x*</code></pre>",
    "`a &lt; b`": "<code>a &lt; b</code>",
    "&gt; said\n&gt; twice\nafter": "<blockquote>said<br>twice</blockquote>after",
    "&amp;lt; &lt;b&gt;": "&amp;lt; &lt;b&gt;",
    "<https://shop.example/|the shop>": LINK.format("https://shop.example/", "the shop"),
    "<https://shop.example/>": LINK.format("https://shop.example/", "https://shop.example/"),
    "<javascript:alert(1)|press>": "<span>press</span>",
    "<!here> <!channel>": '<span class="mention me">@here</span> <span class="mention me">@channel</span>',
    "<@U404>": '<span class="mention">@U404</span>',
    "<!date^0^{date_num}|then>": None,
    ":tada: :unknown_name:": "🎉 :unknown_name:",
}
MARKDOWN = {
    "# Title": '<h3 class="md-h md-h1">Title</h3>',
    "**bold** *it* ~~no~~ `c`": "<p><strong>bold</strong> <em>it</em> <s>no</s> <code>c</code></p>",
    "__bold__ _it_ snake_case_name": "<p><strong>bold</strong> <em>it</em> snake_case_name</p>",
    "a\nb\n\nc": "<p>a<br>b</p><p>c</p>",
    "- a\n- b\n  - c": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "- [x] done\n- [ ] open": '<ul><li><input type="checkbox" disabled="" checked=""> done</li>'
    '<li><input type="checkbox" disabled=""> open</li></ul>',
    "> a\n> b": "<blockquote><p>a<br>b</p></blockquote>",
    "```py\n<b>\n```\nafter": "<pre><code>&lt;b&gt;</code></pre><p>after</p>",
    "```\nhalf": "<pre><code>half</code></pre>",
    "**half": "<p>**half</p>",
    "[x](https://shop.example/)": "<p>" + LINK.format("https://shop.example/", "x") + "</p>",
    "[x](javascript:alert)": "<p><span>x</span></p>",
    "![x](https://shop.example/p.png)": "<p>" + LINK.format("https://shop.example/p.png", "x") + "</p>",
    "<b>no</b> <script>": "<p>&lt;b&gt;no&lt;/b&gt; &lt;script&gt;</p>",
    "\\*plain\\*": "<p>*plain*</p>",
    "---": "<hr>",
    "| a | b |\n| - | -: |\n| 1 | 2 |": '<div class="table-wrap"><table><thead><tr><th class="align-left">a</th>'
    '<th class="align-right">b</th></tr></thead><tbody><tr><td class="align-left">1</td>'
    '<td class="align-right">2</td></tr></tbody></table></div>',
}


async def made(screen: Screen, script: str, module: str, name: str, texts: list[str]) -> list[str]:
    """Return what the page makes of texts."""
    return list(await screen.page.evaluate(script, [module, name, texts]))


async def test_markup_becomes_what_it_means(stage: Stage) -> None:
    screen = await stage.open()
    for module, cases in (("mrkdwn", MRKDWN), ("markdown", MARKDOWN)):
        found = dict(zip(cases, await made(screen, HTML, module, module, list(cases)), strict=True))
        assert found == {text: wanted if wanted is not None else found[text] for text, wanted in cases.items()}


PIECES = [
    *[
        "*",
        "_",
        "~",
        "`",
        "```",
        "<",
        ">",
        "|",
        "[",
        "]",
        "(",
        ")",
        "!",
        "\n",
        "\\",
        "&lt;",
        "&amp;",
        "- ",
        "> ",
        "# ",
        "1. ",
    ],
    *[
        "<script>",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "https://a.example/",
        "data:text/html,x",
        "mailto:x@y",
    ],
    *[
        "<@U1>",
        "<#C1|x>",
        "<!date^1^{time}|x>",
        "<!subteam^S1>",
        ":tada:",
        "word",
        " ",
        "é",
        "\u202e",
        "| - |",
        "**",
        "__",
    ],
]


async def test_no_mixture_of_markup_makes_anything_that_could_act(stage: Stage) -> None:
    screen = await stage.open()
    dice = random.Random(7)
    texts = ["".join(dice.choices(PIECES, k=dice.randint(1, 25))) for _ in range(3000)]
    for module in ("mrkdwn", "markdown"):
        found = await made(screen, DANGERS, module, module, texts)
        assert [(text, danger) for text, danger in zip(texts, found, strict=True) if danger] == []


async def test_long_and_broken_markup_is_made_in_time(stage: Stage) -> None:
    screen = await stage.open()
    worst = ["**" * 6000, "[" * 12_000, "`" * 12_000, "_a" * 6000, "<" * 12_000, "| - " * 3000, "> " * 400, "- " * 3000]
    for module in ("mrkdwn", "markdown"):
        await made(screen, HTML, module, module, worst)
    await screen.say("still here")
    await expect(screen.message("still here")).to_be_visible()
