"""Which texts the English word lists may judge."""

import pytest

from services.analyzer.offline.language import is_known
from services.analyzer.offline.tokens import as_read, tokens_of


def known(text: str) -> bool:
    return is_known(text, as_read(tokens_of(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Refund!!",
        "I can't log in to my account since yesterday",
        "flight AA2401 BOS-JFK cancelled",
        "order W5490111 Mechanical Keyboard 7447 wrong item",
        "My café order for José never arrived 😡",
        "u guys r the worst, smh",
        "😡😡",
        "12345",
        "",
    ],
)
def test_english_is_read(text: str) -> None:
    assert known(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ihr habt mein Paket schon wieder nicht geliefert und niemand hilft mir",
        "Le colis n'est pas arrivé et je suis très déçu",
        "No me funciona el servicio desde ayer y nadie responde por el chat",
        "Meu pedido ainda não chegou e ninguém responde, estou muito insatisfeito",
        "Il mio ordine non è arrivato e nessuno risponde",
        "Mijn pakket is nog niet bezorgd en ik krijg geen antwoord",
        "Moje zamówienie nie dotarło i nikt się nie odzywa od tygodnia",
        "Мой заказ не пришёл",
        "注文した商品がまだ届きません",
        "طلبي لم يصل بعد",
        "amazonのfireTVstickが見れない",
        "Bonjour",
    ],
)
def test_other_languages_are_not_judged(text: str) -> None:
    assert not known(text)
