"""Whether a text is in a language that the word lists know. They know English.

Judged by script and by function words, the commonest words of each language, which hardly any sentence of some
length can do without. Words shared with English are left out of the other lists.
"""

import re

SHORT = 4
"""With fewer different words than this only the script is judged: "refund asap" has no function word."""
LONG = 10
"""From this many different words on, a text without English function words is not English."""
LEAST_ENGLISH_SHARE = 0.08

_ENGLISH = frozenset(
    """a about after again all am an and any are as at be because been before but by can cant could did didnt do
    does doesnt dont for from get got had has have havent he her here him his how i i'm i've if in into is isnt it
    just like me more my need never no not now of off on one only or our out over please she should so some still
    than thank thanks that the their them then there these they this those to today too up us very wait want was
    wasnt we were what when where which while who why will with wont would you you're your yes ok hello hi order
    flight help refund service phone app""".split()
)
_OTHERS = tuple(
    frozenset(words.split())
    for words in (
        "que el los las por para con una pero muy está porque gracias mi es se lo cuando del su más hola les ya hace",
        "le les des une est pas vous je nous pour avec dans mais merci mon ce qui que du il la et sur bonjour ne ça",
        "der das und ist nicht ich ein eine mit auf für sie wir aber zu mein bei auch noch kein von den dem ihr mir",
        "não uma meu minha você obrigado com para que da em os um foi por mais já até estou vocês bom dia muito",
        "che di non per una sono mio grazie ma della questo il un è ho con ciao perché anche del mi si più",
        "het een niet ik en van dat met voor maar mijn jullie nog ook op dit bij heb je ze wel geen kan naar",
        "och inte jag det att är för med som på en ett har ni kan ikke og jeg er av til å vi hei hej",
        "nie się jest na że do jak mam ale dla przez czy mnie dzień dobry co już tak bardzo jestem od po",
        "bir ve bu için değil çok ben var ile mi ama daha gibi ne kadar yok olarak",
        "yang tidak saya dan ini itu untuk dengan ada di ke bisa sudah belum apa kami",
    )
)
_LETTERS_OF_OTHER_SCRIPTS = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f]")
_LATIN_LETTERS = re.compile(r"[A-Za-z\u00c0-\u024f]")


def is_known(text: str, tokens: list[str]) -> bool:
    """Whether a text can be read with English word lists; a text without a word can (its emoji speak)."""
    if not text.isascii():
        foreign = len(_LETTERS_OF_OTHER_SCRIPTS.findall(text))
        if foreign and foreign > len(_LATIN_LETTERS.findall(text)):
            return False
    words = set(tokens)
    english = len(words & _ENGLISH)
    if len(words) < SHORT:
        return True
    if english >= LEAST_ENGLISH_SHARE * len(words) and english >= SHORT:
        return True
    if max(len(words & other) for other in _OTHERS) > english:
        return False
    return len(words) < LONG or english >= LEAST_ENGLISH_SHARE * len(words)
