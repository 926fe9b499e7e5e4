"""Whether a text is in a language that the word lists know. They know English.

Judged by script and by function words, the commonest words of each language, which hardly any sentence of some
length can do without. Words shared with English are left out of the other lists.
"""

import re

LETTERS_A_SIGN = 2
"""A letter of another script weighs as much as two Latin ones: Chinese and Japanese write a word with one or two, and
Latin brand names stand among them."""
SURELY_ENGLISH = 4
"""So many different English function words settle it, as long as they are not lost among others."""
LONG = 10
"""From this many different words on, a text without English function words is not English."""
LEAST_ENGLISH_SHARE = 0.08

_ENGLISH_WORDS = (
    "a about after again all am an and any are as at be because been before but by can cant could did "
    "didnt do does doesnt dont for from get got had has have havent he her here him his how i i'm i've "
    "if in into is isnt it just like me more my need never no not now of off on one only or our out "
    "over please she should so some still than thank thanks that the their them then there these they "
    "this those to today too up us very wait want was wasnt we were what when where which while who why "
    "will with wont would you you're your yes ok hello hi order flight help refund service phone app"
    ""
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_OTHERS = tuple(
    frozenset(words.split())
    for words in (
        "que el los las por para una pero muy está porque gracias mi es se lo cuando del su más hola les ya hace",
        "le les des une pas vous je nous avec dans mais merci mon ce qui que du il la et bonjour ne ça",
        "der das und ist nicht ich ein eine mit auf für sie wir aber zu mein bei auch noch kein von den dem ihr mir",
        "não uma meu minha você obrigado para que da em os um foi por mais já até estou vocês bom dia muito",
        "che di non una sono mio grazie ma della questo il un è ho con ciao perché anche del mi si più",
        "het een niet ik en dat voor maar mijn jullie nog ook dit bij heb je ze wel geen kan naar",
        "och inte jag det att är för som på en ett har ni kan ikke og jeg er av til å vi hei hej",
        "nie się jest na że jak mam ale dla przez czy mnie dzień dobry już tak bardzo jestem",
        "bir ve bu için değil çok var ile mi ama daha gibi ne kadar yok olarak",
        "yang tidak saya dan ini itu untuk dengan di ke bisa sudah belum apa kami",
    )
)
_LETTERS_OF_OTHER_SCRIPTS = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f]")
_LATIN_LETTERS = re.compile(r"[A-Za-z\u00c0-\u024f]")


def is_known(text: str, tokens: list[str]) -> bool:
    """Whether a text can be read with English word lists; a text without a word can (its emoji speak)."""
    if not text.isascii():
        foreign = len(_LETTERS_OF_OTHER_SCRIPTS.findall(text))
        if foreign and LETTERS_A_SIGN * foreign > len(_LATIN_LETTERS.findall(text)):
            return False
    words = set(tokens)
    english = len(words & _ENGLISH)
    if english >= SURELY_ENGLISH and english >= LEAST_ENGLISH_SHARE * len(words):
        return True
    if max(len(words & other) for other in _OTHERS) > english:
        return False
    return len(words) < LONG or english >= LEAST_ENGLISH_SHARE * len(words)
