import gzip

import pytest

from handlers.compression import Packed, reads_gzip


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br , GZIP;q=0.5", True),
        ("gzip; q=1.0,identity", True),
        ("", False),
        ("identity", False),
        ("br, gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("not-gzip, gzipped", False),
    ],
)
def test_only_who_reads_gzip_gets_it(accept_encoding, expected):
    assert reads_gzip(accept_encoding) is expected


def test_the_same_text_is_packed_the_same():
    first, again, other = (Packed.of(text, "text/plain") for text in ["ä" * 99, "ä" * 99, "b"])
    assert first == again
    assert first.digest != other.digest
    assert gzip.decompress(first.zipped) == first.plain == ("ä" * 99).encode()
