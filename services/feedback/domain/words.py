"""Words as they are compared: whole, whatever their case, in any script."""

import re
import unicodedata

_MARKS = "".join(
    mark for mark in map(chr, range(0x300, 0x10000)) if unicodedata.category(mark) in {"Mn", "Mc"}
)
"""What Unicode sets upon letters: accents, and vowels of the scripts of India."""

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
"""Thai, Lao, Burmese, Khmer, kana, Chinese characters: no spaces between words."""

_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_LETTER = rf"(?:[^\W_{_SPACELESS}]|[{_MARKS}])"
_WORD = re.compile(rf"[{_SPACELESS}][{_MARKS}]*|{_LETTER}+(?:'{_LETTER}+)*")
_ASCII = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")


def words(text: str) -> list[str]:
    """Answer the words of ``text`` in their order, case-folded and in one form (NFKC).

    Letters and digits make words, with apostrophes inside; all else parts them. Scripts that
    write without spaces are taken apart into characters, so that a phrase is found within.

    >>> words("Don't BUY the Straßen-Set (2nd)!")
    ["don't", 'buy', 'the', 'strassen', 'set', '2nd']
    >>> words("電池が")
    ['電', '池', 'が']
    """
    if text.isascii():
        return _ASCII.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold().replace(_APOSTROPHE, "'"))
