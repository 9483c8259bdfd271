import pytest

from models.directory import is_called, starts_of, words_of


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("Lena Vogt", "le", True),
        ("Lena Vogt", "VOG", True),
        ("Lena Vogt", "na", False),
        ("Lena Vogt", "v l", True),
        ("Lena Vogt", "lena maya", False),
        ("Zoë Müller", "zoe mul", True),
        ("Zoe Muller", "Zoë", True),
        ("Straße", "strasse", True),
        ("Łukasz Ørsted", "luk ors", True),
        ("İpek", "ipek", True),
        ("Anna-Maria", "maria", True),
        ("Anna-Maria", "anna-m", True),
        ("O'Brien", "brien", True),
        ("O'Brien", "o'b", True),
        ("سَارَة منصور", "سار", True),
        ("王小明", "王小", True),
        ("🌸 Rosa", "🌸", True),
        ("🌸 Rosa", "ros", True),
        ("", "a", False),
    ],
)
def test_a_name_is_found_by_the_beginning_of_any_word(name, wanted, found):
    assert is_called(words_of(name), starts_of(wanted)) is found
