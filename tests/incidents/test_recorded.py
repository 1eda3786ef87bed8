"""Reading recorded deliveries: a line at a time, and every mistake named."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordings
from sysop.incidents import recorded
from sysop.incidents.recorded import BadLine, Recorded

ALERT = recordings.Fired("HighErrorRate", "cart", 10.0, 70.0).sent(resolved=False)
AT = "2026-10-06T00:00:12.000Z"


def line(**changes: Any) -> bytes:
    """Return a delivery with fields of its alert changed; None leaves one out."""
    alert = {name: value for name, value in {**ALERT, **changes}.items() if value is not None}
    return json.dumps({"received_at": AT, "body": {"alerts": [alert]}}).encode() + b"\n"


def read(data: bytes) -> list[Recorded]:
    return list(recorded.read(recorded.unzipped(io.BytesIO(data))))


def test_a_line_is_a_delivery_with_its_occurrences() -> None:
    (found,) = read(line())
    (occurrence,) = found.occurrences
    assert (found.line, found.at, found.clock) == (1, AT, recordings.BEGAN + 12)
    assert occurrence.key == "higherrorrate-cart-warning@2026-10-06T00:00:10.000Z"
    assert (occurrence.fingerprint, occurrence.starts_at) == ("higherrorrate-cart-warning", recordings.BEGAN + 10)
    assert (occurrence.labels["service"], occurrence.annotations["summary"]) == ("cart", "HighErrorRate on cart")


def test_plain_and_zipped_files_hold_the_same_and_so_does_one_in_several_zipped_parts() -> None:
    data = recordings.lines(recordings.recording(1, hours=1))
    plain = read(data)
    assert len(plain) > 20
    assert read(gzip.compress(data)) == plain
    half = data.index(b"\n", len(data) // 2) + 1
    assert read(gzip.compress(data[:half]) + gzip.compress(data[half:])) == plain


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    data = b"\xef\xbb\xbf" + line().replace(b"\n", b"\r\n") + b"\n  \n" + line().rstrip()
    assert [found.line for found in read(data)] == [1, 4]
    assert read(b"") == []
    assert read(gzip.compress(b"")) == []


def test_an_occurrence_without_annotations_or_with_empty_labels_is_taken() -> None:
    (found,) = read(line(annotations=None, labels={}))
    assert (found.occurrences[0].labels, found.occurrences[0].annotations) == ({}, {})


def test_times_are_kept_to_the_millisecond_in_any_zone_and_to_any_digits() -> None:
    (found,) = read(line(startsAt="2026-10-06T02:00:10.123456789+02:00"))
    assert found.occurrences[0].starts_at == recordings.BEGAN + 10.123
    assert found.occurrences[0].key.endswith("@2026-10-06T02:00:10.123456789+02:00")


BAD = [
    (b"{", "is not JSON"),
    (b"[" * 100_000, "is not JSON"),
    (b"\xff\n", "is not text in UTF-8"),
    (b"3", "the line: must be an object, such as {"),
    (b"{}", "received_at: must be text that is not empty, not missing or null"),
    (b'{"received_at": 3}', "received_at: must be text that is not empty, not a number"),
    (b'{"received_at": "yesterday"}', "received_at: 'yesterday' is not a time; write it like 2026"),
    (b'{"received_at": "2026-10-06T00:00:00"}', "received_at: '2026-10-06T00:00:00' has no time zone; write it"),
    (
        b'{"received_at": "2026-10-06T00:00:00Z"}',
        "body: must be an object, an Alertmanager webhook message, not missing",
    ),
    (b'{"received_at": "2026-10-06T00:00:00Z", "body": []}', "body: must be an object"),
    (
        b'{"received_at": "2026-10-06T00:00:00Z", "body": {}}',
        "body.alerts: must be the list of an Alertmanager webhook",
    ),
    (line().replace(b"[{", b"[3, {"), "body.alerts[0]: must be an object, an alert with labels, startsAt and"),
    (line(fingerprint=None), "body.alerts[0].fingerprint: must be text that is not empty, not missing or null"),
    (line(fingerprint=""), "body.alerts[0].fingerprint: must be text that is not empty, not empty"),
    (line(startsAt=1791244800), "body.alerts[0].startsAt: must be text that is not empty, not a number"),
    (line(startsAt="0000-01-01T00:00:00Z"), "body.alerts[0].startsAt: '0000-01-01T00:00:00Z' is not a time"),
    (line(labels=None), "body.alerts[0].labels: must be an object of texts, not missing or null"),
    (line(labels=["a"]), "body.alerts[0].labels: must be an object of texts, not a list"),
    (line(labels={"alertname": True}), "body.alerts[0].labels.alertname: must be text, not true or false"),
    (line(annotations={"summary": {}}), "body.alerts[0].annotations.summary: must be text, not an object"),
    (line(fingerprint="\ud800"), "is not text in UTF-8"),
]


@pytest.mark.parametrize(("bad", "says"), BAD, ids=[says[:50] for _, says in BAD])
def test_a_bad_line_names_its_number_the_field_and_the_fix(bad: bytes, says: str) -> None:
    with pytest.raises(BadLine) as wrong:
        read(line() + bad)
    assert str(wrong.value).startswith(f"line 2: {says}")


def test_a_file_that_was_cut_off_or_damaged_says_so() -> None:
    data = gzip.compress(recordings.lines(recordings.recording(2, hours=1)))
    for broken in (data[: len(data) // 2], data[:-8] + b"\0" * 8, data[:40] + b"\xff" * 40 + data[80:]):
        with pytest.raises(BadLine, match=r"line \d+: the file is damaged or cut off"):
            read(broken)


def test_a_line_that_would_fill_the_memory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MAX_LINE", 5000)
    assert len(read(line())) == 1
    with pytest.raises(BadLine, match="line 2: longer than 5000 bytes"):
        read(gzip.compress(line() + b"x" * 50_000_000))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(AT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["received_at", "body", "alerts", "labels", "annotations", "startsAt", "fingerprint", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def read_or_told(data: bytes) -> list[Recorded] | str:
    try:
        return read(data)
    except BadLine as wrong:
        return str(wrong)


@given(values | st.fixed_dictionaries({"received_at": st.just(AT), "body": values}))
def test_any_line_is_a_delivery_or_one_error(value: Any) -> None:
    match read_or_told(json.dumps(value).encode()):
        case [Recorded(line=1, at=at)]:
            assert at == AT
        case told:
            assert str(told).startswith("line 1: ")
