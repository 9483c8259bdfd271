"""P21: a backup's file, and that nothing which is not one passes for one."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.backup_file import (
    FORM,
    Again,
    BackupRefused,
    Document,
    Header,
    Reader,
    Writer,
    checked,
    valid_documents,
)

HEADER = Header(FORM, 2, "f00d", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "0123")


def talk(number, *people):
    """A conversation's document."""
    places = [{"key": key} for key in people]
    return json.dumps({"_id": {"$oid": f"{number:024x}"}, "participants": places}).encode()


def said(text):
    return json.dumps({"text": text}).encode()


def written(*lines, header=HEADER):
    """A whole file of these documents; a set of names makes void what is above."""
    file = io.BytesIO()
    writer = Writer(file, header)
    for line in lines:
        if isinstance(line, set):
            writer.again(line)
        else:
            writer.add(*line)
    writer.finish()
    return file.getvalue()


WHOLE = written(
    ("meta", b'{"_id":"settled"}'),
    ("conversations", talk(1, "Buyer:maya", "Seller:omar")),
    ("messages", said("Größe 😀 \n { ] \\ \u2028")),
    {"Buyer:guest-1"},
    ("participants", b'{"_id":"Buyer:maya"}'),
)


def read(content):
    """All that stands in a file, which is checked before."""
    contents = checked(io.BytesIO(content), "FILE")
    return list(valid_documents(io.BytesIO(content), "FILE", contents))


def refusal(content):
    with pytest.raises(BackupRefused) as refused:
        read(content)
    return str(refused.value)


def test_what_is_written_is_read():
    assert Reader(io.BytesIO(WHOLE), "FILE").header == HEADER
    assert [(d.collection, json.loads(d.json)) for d in read(WHOLE)] == [
        ("meta", {"_id": "settled"}),
        ("conversations", json.loads(talk(1, "Buyer:maya", "Seller:omar"))),
        ("messages", {"text": "Größe 😀 \n { ] \\ \u2028"}),
        ("participants", {"_id": "Buyer:maya"}),
    ]


def test_the_file_is_json_line_by_line_and_counts_what_it_holds():
    header, *_, manifest, seal = [json.loads(line) for line in WHOLE.splitlines()]
    assert header["shopbell_backup"] == 1
    assert manifest["manifest"]["messages"]["documents"] == 1
    assert manifest["manifest"]["logos"]["documents"] == 0
    assert len(seal["sha256"]) == 64


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_no_byte_can_be_changed_anywhere(mask):
    """Fails when the seal, the manifest or the end of the file is not looked at."""
    passed = []
    for place in range(len(WHOLE)):
        damaged = bytearray(WHOLE)
        damaged[place] ^= mask
        try:
            read(bytes(damaged))
        except BackupRefused:
            continue
        passed.append((place, bytes(damaged[place - 9 : place + 9])))
    assert passed == []


def test_it_cannot_be_cut_off_anywhere():
    for end in range(len(WHOLE)):
        assert "no whole backup" in refusal(WHOLE[:end])


@given(place=st.integers(0, len(WHOLE)), more=st.binary(min_size=1, max_size=99))
def test_nothing_can_be_put_in_anywhere(place, more):
    refusal(WHOLE[:place] + more + WHOLE[place:])


@given(st.permutations(WHOLE.splitlines(keepends=True)))
def test_lines_cannot_change_places(lines):
    if b"".join(lines) != WHOLE:
        refusal(b"".join(lines))


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\0" * 99, b"{}\n", b"[" * 100_000 + b"\n", b'{"shopbell_backup": true}\n'],
)
def test_something_else_is_refused(content):
    assert refusal(content).startswith("FILE is no whole backup of Shopbell")


def test_another_form_is_refused_in_words():
    assert "form" in refusal(written(header=Header(9, 2, "f00d", HEADER.begun_at, "")))


def test_what_is_not_counted_by_the_manifest_is_refused():
    """A file that was forged with its seal; fails when the manifest is not compared."""
    import hashlib

    lines = WHOLE.splitlines(keepends=True)
    body = b"".join(lines[:1] + lines[2:-1])
    seal = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}, separators=(",", ":"))
    refusal(body + seal.encode() + b"\n")


def test_a_file_that_changes_between_two_looks_is_refused():
    contents = checked(io.BytesIO(WHOLE), "FILE")
    other = written(("participants", b'{"_id":"Buyer:lena"}'))
    with pytest.raises(BackupRefused, match="changed"):
        list(valid_documents(io.BytesIO(other), "FILE", contents))


def test_what_was_looked_at_again_counts_as_it_was_seen_last():
    """Fails when what stands above an ``again`` is not void."""
    ours = ("conversations", talk(1, "Buyer:maya", "Seller:omar"))
    guests = ("conversations", talk(2, "Buyer:guest-1", "Seller:omar"))
    theirs = ("conversations", talk(3, "Buyer:lena", "Seller:omar"))
    content = written(
        ours,
        ("messages", said("mine")),
        guests,
        ("messages", said("the guest's, before")),
        theirs,
        ("messages", said("Lena's, torn")),
        ("participants", b'{"_id":"Seller:omar"}'),
        {"Buyer:guest-1", f"{3:024x}"},
        theirs,
        ("messages", said("Lena's")),
        guests,
        ("messages", said("the guest's, moving")),
        {"Buyer:guest-1"},
    )
    assert [json.loads(d.json)["text"] for d in read(content) if d.collection == "messages"] == [
        "mine",
        "Lena's",
    ]
    assert sum(d.collection == "participants" for d in read(content)) == 1


def test_the_reader_tells_documents_from_marks():
    kinds = [type(line) for line in Reader(io.BytesIO(WHOLE), "FILE").lines()]
    assert kinds == [Document, Document, Document, Again, Document]
