"""What a question asks for: words, their stems, what they are called elsewhere, and what it names exactly."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysop.knowledge.document import Document
from sysop.knowledge.page import Section
from sysop.knowledge.retrieval.asked import MAX_CONCEPTS, concepts
from sysop.knowledge.retrieval.chunks import MAX_PARTS, WORDS, in_words, page_terms, parts, readable
from sysop.knowledge.retrieval.exact import called, named, titled
from sysop.knowledge.retrieval.features import figures, weigh
from sysop.knowledge.retrieval.words import terms, title_terms, without_noise


def page(title: str, *sections: tuple[str, str], **more: object) -> Document:
    made = tuple(Section(name, name.lower(), text, 1) for name, text in sections)
    return Document(id=f"a/{title}", path=f"a/{title}.md", digest="0", title=title, sections=made, **more)  # type: ignore[arg-type]


def called_so(text: str, route: str = "chat") -> dict[str, float]:
    found: dict[str, float] = {}
    for concept in concepts(text, route):  # type: ignore[arg-type]
        for name, sure in concept.called:
            found[" ".join(name)] = max(found.get(" ".join(name), 0), sure)
    return found


def test_an_identifier_is_found_whole_and_by_its_parts() -> None:
    assert list(terms("ServiceErrorRatioHigh")) == ["serviceerrorratiohigh", "servic", "error", "ratio", "high"]
    assert set(terms("service_error_ratio")) & set(terms("ServiceErrorRatioHigh")) == {"servic", "error", "ratio"}
    assert list(title_terms("KubeNodeNotReady")) == ["kube", "node", "not", "readi"]


def test_small_words_say_nothing_in_a_text_and_something_in_a_title() -> None:
    assert list(terms("it is not on the disk, isn't it? We've won't")) == ["disk"]
    assert list(title_terms("Too many connections")) == ["too", "connect"]


def test_other_scripts_are_words_too() -> None:
    assert list(terms("Speicher läuft voll, 内存")) == ["speicher", "läuft", "voll", "内存"]


def test_what_names_one_case_of_many_is_no_part_of_the_question() -> None:
    text = 'Disk full on 10.0.3.12:9100 pod="web-7d9f" severity=critical id 0af7651916cd43dd8448eb211c80319c'
    assert set(terms(without_noise(text))) & {"pod", "web", "critic", "10", "9100"} == set()
    assert "0af7651916cd43dd8448eb211c80319c" not in called_so(text)
    assert {"disk", "full"} <= set(called_so(text))


def test_people_and_pages_call_the_same_thing_differently() -> None:
    assert called_so("the box ran out of ram")["memori"] == 1.0
    assert 0 < called_so("the box ran out of ram")["node"] < 1.0
    assert called_so("oom killer strikes again").keys() >= {"out of memori"}


def test_a_number_counts_where_it_means_something() -> None:
    assert "out of memori" in called_so("exit code 137") or "oom" in called_so("exit code 137")
    assert "999" not in called_so("exit code 999")


def test_a_thing_that_is_said_twice_counts_more_and_once_only_as_a_concept() -> None:
    once, twice = concepts("disk", "chat"), concepts("disk disk", "chat")
    assert len(once) == len(twice)
    assert twice[-1].weight > once[-1].weight


def test_a_long_text_is_asked_by_its_beginning() -> None:
    text = " ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26)}x" for n in range(400))
    assert len(concepts(text, "alert")) == MAX_CONCEPTS


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_asked(text: str) -> None:
    concepts(text, "alert")
    concepts(text, "chat")
    named(text)


@pytest.mark.parametrize(
    "text",
    [
        "KubePodCrashLooping: pod is crash looping",
        "why kube_pod_crash_looping?",
        "see https://example.com/runbooks/KubePodCrashLooping.md",
        "runbook_url=https://example.com/runbooks/kubernetes/kubepodcrashlooping/#meaning".replace(
            "kubepod", "KubePod"
        ),
        "https://example.com/all.html#KubePodCrashLooping",
    ],
)
def test_a_page_is_named_by_its_alert_in_any_spelling_and_by_its_address(text: str) -> None:
    one = page("Pods that crash", alerts=("KubePodCrashLooping",))
    spelled = {"kubepodcrashlooping"}
    assert spelled <= set(called(one))
    assert spelled & set(named(text)) or "KubePodCrashLooping".lower() in {name.lower() for name in named(text)}


def test_a_page_is_named_by_the_address_it_is_read_at() -> None:
    one = page("Pods that crash", url="https://wiki.example.com/x/Crash/")
    assert set(called(one)) & set(named("look at https://wiki.example.com/x/Crash#now, please"))


def test_one_word_names_a_page_as_its_file_or_alert_and_not_as_its_title() -> None:
    text = "Summary: the Watchdog is silent"
    summary = replace(page("Summary"), id="ci/abuse")
    assert not {*called(summary), *titled(summary)} & set(named(text))
    assert set(called(replace(page("Silence"), id="general/Watchdog"))) & set(named(text))
    assert set(called(page("Silence", alerts=("Watchdog",)))) & set(named(text))
    assert set(titled(replace(page("DiskFull"), id="a/b"))) & set(named("why DiskFull"))


def test_a_plain_word_names_nothing() -> None:
    assert named("is the service down") == []
    assert called(page("down")) == []


@given(st.integers(0, 1_000))
def test_parts_cover_every_word(count: int) -> None:
    words = [f"w{n}" for n in range(count)]
    found = [part.text.split() for part in parts(page("x", ("One", " ".join(words))))]
    assert [w for w in words if not any(w in piece for piece in found)] == []
    assert all(len(piece) <= WORDS + 20 for piece in found)


def test_a_book_is_cut_off() -> None:
    assert len(list(parts(page("x", *((f"S{n}", "text") for n in range(MAX_PARTS + 50)))))) == MAX_PARTS


def test_a_model_reads_words_without_code_and_markup() -> None:
    one = page(
        "KubePodCrashLooping", ("What it means", "The **pod** [dies](http://x.example)\n```sh\nkubectl\n```\nagain")
    )
    (part,) = parts(one)
    assert readable(part, one.title) == "Kube Pod Crash Looping. What it means. The pod dies again"
    assert in_words("node_disk-full") == "node disk full"


WORDS_OF = st.lists(
    st.sampled_from(["disk", "full", "node", "memory", "pod", "crash", "certificate", "expire", "queue"]), max_size=8
)


@given(WORDS_OF, WORDS_OF, WORDS_OF)
@settings(deadline=None)
def test_figures_are_shares_and_a_longer_page_never_knows_less(
    asked: list[str], text: list[str], more: list[str]
) -> None:
    question = weigh(concepts(" ".join(asked), "chat"), lambda term: 1.0, lambda term: 1.0)
    one = figures(question, page_terms(page("T", ("S", " ".join(text)))))
    other = figures(question, page_terms(page("T", ("S", " ".join(text)), ("More", " ".join(more)))))
    shares = (one.asked_in_name, one.name_asked, one.page, one.best, one.lead, one.known)
    assert all(0 <= share <= 1 for share in shares)
    assert other.known >= one.known - 1e-9
