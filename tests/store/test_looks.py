import asyncio
from io import BytesIO

import pytest
from PIL import Image

from models.conversation import Participant
from models.errors import Forbidden, Invalid, Unavailable
from models.picture import logo
from models.preferences import CHECKS, Preferences
from tests.store.cast import MAYA, NILS, OMAR

CHOSEN = Preferences(accent="#f2c230", greeting="Ring for a fitting", corner="start", language="de")


def picture(colour="red"):
    file = BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def people(database_name, _database_client):
    """The stored documents themselves."""
    return _database_client[database_name].participants


# --- What may be chosen ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "chosen"),
    [
        ("accent", "#F2C230", "#f2c230"),
        ("greeting", "  Ring\r\nfor a \u202efitting\x07 ", "Ring for a fitting"),
        ("greeting", "\u200b \u200e", ""),
        ("greeting", "x" * 200, "x" * 200),
        ("greeting", "<b>&amp;</b>", "<b>&amp;</b>"),
        ("corner", "start", "start"),
        ("language", "ar", "ar"),
        ("panel_language", "auto", "auto"),
    ],
)
def test_a_choice_is_taken_as_it_was_meant(name, typed, chosen):
    assert getattr(Preferences().changed(name, typed), name) == chosen


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("accent", "red"),
        ("greeting", "x" * 201),
        ("corner", "middle"),
        ("corner", ""),
        ("language", "tlh"),
        ("panel_language", "EN"),
    ],
)
def test_what_cannot_be_chosen_is_refused_at_its_field(name, typed):
    with pytest.raises(Invalid) as refused:
        Preferences().changed(name, typed)
    assert refused.value.field == name


def test_all_choices_but_the_logo_can_be_typed():
    assert CHECKS.keys() | {"logo"} == set(Preferences.__dataclass_fields__)


def test_the_default_look_leaves_the_languages():
    chosen = Preferences("#f2c230", "Hello", "start", "0a1b", "de", "ar")
    assert chosen.with_default_look() == Preferences(language="de", panel_language="ar")


# --- What is kept ---------------------------------------------------------------------------------


async def test_a_seller_who_chose_nothing_has_the_defaults(shop):
    await shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    assert shop.preferences.of("omar") == Preferences()
    assert shop.preferences.of("nobody") == Preferences()
    assert shop.preferences.all() == {}
    assert await shop.preferences.logo("omar") is None


async def test_what_was_chosen_is_known_at_once_and_after_a_restart(shop, open_shop):
    assert await shop.preferences.save(OMAR, CHOSEN) == CHOSEN
    for process in (shop, await open_shop()):
        assert process.preferences.of("omar") == CHOSEN
        assert process.preferences.all() == {"omar": CHOSEN}
        assert process.preferences.of("vera") == Preferences()


async def test_another_process_sees_it_at_the_next_look(shop, open_shop):
    other = await open_shop(asleep={"preferences"})
    await shop.preferences.save(OMAR, CHOSEN)
    assert other.preferences.of("omar") == Preferences()
    await other.preferences.refresh()
    assert other.preferences.of("omar") == CHOSEN


async def test_a_seller_who_only_ever_showed_a_token_can_choose(shop):
    await shop.preferences.save(OMAR, CHOSEN)
    kept = await shop.store.participant(OMAR.key)
    assert (kept.participant, kept.name) == (Participant("Seller", "omar"), OMAR.name)
    assert (await shop.history.seller("omar")).name == OMAR.name


async def test_an_account_stays_what_it_is(shop):
    await shop.accounts.add_seller("omar", "Omar’s shop", None, "correct horse battery")
    await shop.preferences.save(OMAR, CHOSEN)
    assert await shop.accounts.log_in("omar", "correct horse battery", "127.0.0.1")
    assert (await shop.store.participant(OMAR.key)).name == "Omar’s shop"


async def test_going_back_to_the_defaults_is_forgetting(shop, open_shop):
    await shop.preferences.save(OMAR, CHOSEN, picture())
    await shop.preferences.save(OMAR, Preferences())
    for process in (shop, await open_shop()):
        assert process.preferences.all() == {}
    assert await shop.store.logo(OMAR.key) is None


async def test_sellers_choose_for_themselves(shop):
    await shop.preferences.save(OMAR, CHOSEN)
    await shop.preferences.save(NILS, Preferences(corner="start"))
    assert shop.preferences.all() == {"omar": CHOSEN, "nils": Preferences(corner="start")}


async def test_a_buyer_has_no_shop(shop):
    with pytest.raises(Forbidden):
        await shop.preferences.save(MAYA, CHOSEN)
    assert await shop.store.participant(MAYA.key) is None


async def test_what_a_newer_shopbell_wrote_can_be_read(shop, people):
    await shop.preferences.save(OMAR, CHOSEN)
    change = {"$set": {"preferences.font": "serif"}, "$unset": {"preferences.corner": 1}}
    people.update_one({"_id": OMAR.key}, change)
    await shop.preferences.refresh()
    assert shop.preferences.of("omar") == CHOSEN.changed("corner", "end")


# --- Logos ----------------------------------------------------------------------------------------


async def test_a_logo_is_kept_and_found(shop, open_shop):
    chosen = await shop.preferences.save(OMAR, CHOSEN, picture())
    assert chosen.logo == logo(picture()).version
    for process in (shop, await open_shop()):
        assert await process.preferences.logo("omar") == logo(picture())
        assert process.preferences.of("omar").logo == chosen.logo
    assert await shop.preferences.logo("vera") is None


async def test_a_logo_stays_while_other_things_are_chosen_and_goes_when_asked(shop):
    chosen = await shop.preferences.save(OMAR, CHOSEN, picture())
    changed = await shop.preferences.save(OMAR, chosen.changed("greeting", "Hi"))
    assert await shop.preferences.logo("omar") == logo(picture())
    assert changed.logo == chosen.logo
    await shop.preferences.save(OMAR, CHOSEN)
    assert await shop.preferences.logo("omar") is None


async def test_a_new_logo_takes_the_place_of_the_old_one(shop, open_shop):
    await shop.preferences.save(OMAR, CHOSEN, picture("red"))
    other = await open_shop()
    assert await other.preferences.logo("omar") == logo(picture("red"))
    await shop.preferences.save(OMAR, CHOSEN, picture("blue"))
    await other.preferences.refresh()
    for process in (shop, other):
        assert await process.preferences.logo("omar") == logo(picture("blue"))


async def test_a_logo_is_read_once_even_if_its_save_was_broken_off(shop, monkeypatch):
    chosen = await shop.preferences.save(OMAR, CHOSEN, picture("red"))
    await shop.store.write_preferences(OMAR.key, chosen, logo(picture("blue")))
    read, reads = shop.store.logo, []

    async def counted(key):
        reads.append(key)
        return await read(key)

    monkeypatch.setattr(shop.store, "logo", counted)
    for _ in range(3):
        assert await shop.preferences.logo("omar") == logo(picture("blue"))
    assert reads == [OMAR.key]


async def test_a_file_that_is_no_logo_changes_nothing(shop):
    await shop.preferences.save(OMAR, CHOSEN, picture())
    with pytest.raises(Invalid):
        await shop.preferences.save(OMAR, Preferences(), b"<svg></svg>")
    assert shop.preferences.of("omar").accent == CHOSEN.accent
    assert await shop.preferences.logo("omar") == logo(picture())


# --- The database away ----------------------------------------------------------------------------


async def test_what_is_known_holds_while_the_database_is_away(open_shop, proxy, engine_uri):
    shop = await open_shop(proxy.uri(engine_uri), asleep={"preferences"})
    await shop.preferences.save(OMAR, CHOSEN)
    proxy.refuse()
    tried = [shop.preferences.refresh(), shop.preferences.save(OMAR, Preferences())]
    came = await asyncio.wait_for(asyncio.gather(*tried, return_exceptions=True), 10)
    assert all(isinstance(error, Unavailable) for error in came)
    assert shop.preferences.of("omar") == CHOSEN
