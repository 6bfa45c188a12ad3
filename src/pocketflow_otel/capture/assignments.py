"""Finds secrets in text by the names they are given to: ``password=…``, ``"api_key": "…"``, ``--token …``.

The text may be an environment file, YAML, JSON (also JSON inside JSON), a printed dict, a query string, a header, a
connection string, a command line, XML, or prose that has some of these in it. Whatever is turned down is turned down
after a bounded look, and whatever is accepted is not looked at again, so that every search is linear.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Final

from pocketflow_otel.capture.secret_values import Span, compiled, is_placeholder, is_placeholder_at, looks_random, words
from pocketflow_otel.capture.text_classes import SEPARATOR, classify

IsSecretName = Callable[[str], bool]

_GAP: Final = r"(?:[=>:\uff1a]{1,3}[ \t]{0,8}(?:(?:str|bytes|Any|SecretStr)(?: \| None)? = )?)?+"

_NAME_CHARS: Final = string.ascii_letters + string.digits + "_.-"
_LONGEST_NAME: Final = 80
_NAME_AT_END: Final = r"[\w.-]{1,80}\Z"
# These have a word before them: "API key: …".
_SPACED: Final = ("key", "token", "string", "code", "number")
# Under these names an ordinary word may be the secret.
_CHOSEN_BY_PEOPLE: Final = r"(?i:pass|pwd|pw\b|pin|otp|cvv|cvc|ssn|code|secret|密|口令)"

_SCHEME: Final = (
    r"(?i:bearer|basic|token|digest|api-?key|negotiate|oauth|hmac|aws4-hmac-sha256|splunk)[ \t]+(?=[^\s=:])"
)
_QUOTE: Final = r"(?:[bBrRuU]{1,2}(?=[\"']))?(\\{0,7}[\"'`])"
_IN_QUOTES: Final = {quote: rf"(?s:[^{quote}\\\n]*+(?:\\.[^{quote}\\\n]*+)*+)" for quote in "\"'`"}
_CLOSING: Final = {"[": "]", "(": ")", "{": "}"}
_OPENING: Final = {close: opening for opening, close in _CLOSING.items()}

# What may stand in a value itself: a comma, unless a space, a next name or the end follows.
_GOES_ON: Final = r"(?!\s|\Z|[\w.-]{1,64}[=:])"
_ESCAPED_LINE_END: Final = r"\\[nrt](?:[\w.-]{1,64}[=:]|[\\\"'\s]|\Z)"
# Atomic groups, not possessive quantifiers: those of alternatives take too much before Python 3.11.5 (gh-106052).
_BARE: Final = (
    rf"(?>(?:[^\s\"'`&;,\\]++|[&;,]{_GOES_ON}|(?!{_ESCAPED_LINE_END})\\(?![\"'\s]|\Z)|[\"'`](?![\s,;:)\]}}&\\>]|\Z))+)"
)
_REST_OF_LINE: Final = r"(?>(?:[^\n\\\"]++|\\(?![n\"]))+)"
_CODE: Final = r"(?:await )?[A-Za-z_][\w.]{0,63}[(\[]"
_IDENTIFIER: Final = r"[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,8}+(?![\w@#$!%^*+/=~-])"
_WORD: Final = r"[^\s,;\"'`]{1,128}"
_WORDS_FOLLOW: Final = r"\S{1,128}[ \t]+(?![\w.-]{1,64}[:=])[A-Za-z]"
_LONG_WORD: Final = 16
_SMALL_NUMBER: Final = 5

# The ends of "password", "key" and so on: most sentences are about other things.
_SAID_ENDINGS: Final = words("ord swd pwd ase ode ret ken key pin otp ssn dsn ial als kie uth ing")

_FLAG: Final = r"--?([A-Za-z][\w.-]{1,63})[ \t]+(?![-|&<>\\])"
_AFTER_FLAG: Final = words(
    "a an and are argument as at can do does field file flag for from has if in is it may must not of on option "
    "options or parameter prompt set should stdin the then to value was when which will with your"
)
_USER_FLAG: Final = r"\s(?:-u|--user)[ =][\"']?[^\s:\"']{1,128}:([^\s\"']{1,1024})"
_ELEMENT: Final = r"<([\w.:-]{1,80})(?:\s[^<>]{0,256})?>([^<>]{1,4096})</"
_ATTRIBUTE: Final = r"(?i:(?:name|key)=[\"']([\w.:-]{1,80})[\"']\s{1,8}value=[\"']([^\"'<>]{1,4096})[\"'])"
_PAIR: Final = r"[(\[]b?[\"']([\w.-]{1,80})[\"'], ?b?(?:\"([^\"\\\n]{1,4096})\"|'([^'\\\n]{1,4096})')[)\]]"
_QUERY_KEY: Final = r"(?i:[?&](?:key|sig|signature|x-amz-signature|x-goog-signature)=([\w%+/=.-]{16,}))"


def find_assignments(text: str, classes: bytes, is_secret_name: IsSecretName) -> Iterator[Span]:
    """Where values stand that are given to the name of a secret. Spans may overlap and are in no order.

    Args:
        text: Any text.
        classes: The classes of its characters.
        is_secret_name: Tells the names of secrets.
    """
    if "\uff1a" in text:
        classes = classify(text.replace("\uff1a", ":"))
    yield from _find_said(text, is_secret_name)
    if "-" in text and (" -" in text or text[0] == "-"):
        yield from _find_flags(text, is_secret_name)
    if "<" in text and "</" in text:
        yield from _find_named(text, _ELEMENT, is_secret_name)
    if ("(" in text or "[" in text) and ("'," in text or '",' in text):
        yield from _find_named(text, _PAIR, is_secret_name)
    place = classes.find(SEPARATOR)
    if place < 0:
        return
    if "value=" in text:
        yield from _find_named(text, _ATTRIBUTE, is_secret_name)
    if "?" in text or "&" in text:
        yield from (match.span(1) for match in compiled(_QUERY_KEY).finditer(text) if looks_random(match[1]))
    while place >= 0:
        end = place + 1
        if is_secret_name(name := _name_before(text, place)) and (span := _value(text, place, name)):
            end = span[1]
            yield span
        place = classes.find(SEPARATOR, end)


def _name_before(text: str, place: int) -> str:
    before = text[max(0, place - _LONGEST_NAME) : place].rstrip(" \t").rstrip("\\\"'`]")
    stem = before.rstrip(_NAME_CHARS)
    name = before[len(stem) :]
    if not name:
        match = compiled(_NAME_AT_END).search(before) if before and not before.isascii() else None
        return match[0] if match else ""
    if stem[-1:] == " " and name.lower().endswith(_SPACED):
        stem = stem[:-1]
        name = f"{stem[len(stem.rstrip(_NAME_CHARS)) :]} {name}"
    return name


def _value(text: str, place: int, name: str) -> Span | None:
    if text.startswith("//", place + 1):
        return None
    gap = compiled(_GAP).match(text, place)
    start = gap.end() if gap else place + 1
    if quote := compiled(_QUOTE).match(text, start):
        return _quoted(text, quote.end(), quote[1])
    if text[start : start + 1] in _CLOSING and text[place - 1] in "\"'":
        return _bracketed(text, start)
    if "cookie" in name.lower():
        return _cookies(text, start)
    scheme = compiled(_SCHEME).match(text, start)
    if scheme:
        start = scheme.end()
    if is_placeholder_at(text, start) or (not scheme and not _may_be_secret(text, place, start, name)):
        return None
    return _bare(text, start)


def _quoted(text: str, start: int, quote: str) -> Span | None:
    if len(quote) == 1:
        inside = compiled(_IN_QUOTES[quote]).match(text, start)
        end = inside.end() if inside else start
    else:
        end = text.find(quote, start)
        while end > start and text[end - 1] == "\\":
            end = text.find(quote, end + 1)
        if end < 0:
            end = text.find("\n", start)
        if end < 0:
            end = len(text)
    if scheme := compiled(_SCHEME).match(text, start, end):
        start = scheme.end()
    # A quotation mark that opens nothing has only brackets after it: input("Password: ").
    return None if is_placeholder(text[start:end].strip(")]}")) else (start, end)


def _bracketed(text: str, start: int) -> Span | None:
    end = text.find(_CLOSING[text[start]], start) + 1 or len(text)
    inside = text[start + 1 : end - 1]
    # A schema describes a secret, and an empty list has none.
    if is_placeholder_at(text, start) or not inside.strip() or ('"type":' in inside or "'type':" in inside):
        return None
    return start, end


def _cookies(text: str, start: int) -> Span | None:
    line = compiled(_REST_OF_LINE).match(text, start)
    return line.span() if line and "=" in line[0] and not is_placeholder(line[0].strip()) else None


def _is_code(text: str, place: int, start: int, name: str) -> bool:
    if compiled(_CODE).match(text, start):
        return True
    match = compiled(_IDENTIFIER).match(text, start)
    if match is None:
        return False
    owner, dot, last = match[0].rpartition(".")
    if last.lower() == name.lower() or (dot and owner in ("self", "args", "config", "settings", "os.environ")):
        return True
    return text[place - 1] == " " and text[place] == "=" and not looks_random(last)


def _may_be_secret(text: str, place: int, start: int, name: str) -> bool:
    match = compiled(_WORD).match(text, start)
    if match is None or _is_code(text, place, start, name):
        return False
    word = match[0].rstrip(".)]}>!?")
    chosen = compiled(_CHOSEN_BY_PEOPLE).search(name) is not None
    if text[place] != "=":
        if compiled(_WORDS_FOLLOW).match(text, start):
            return looks_random(word)
        return chosen or looks_random(word) or len(word) >= _LONG_WORD
    return chosen or not (word.isdigit() and len(word) <= _SMALL_NUMBER)


def _bare(text: str, start: int) -> Span | None:
    match = compiled(_BARE).match(text, start)
    if match is None:
        return None
    end = match.end()
    while end > start and text[end - 1] in ")]}>,;." and text.find(_OPENING.get(text[end - 1], "\0"), start, end) < 0:
        end -= 1
    return (start, end) if end > start else None


def _find_said(text: str, is_secret_name: IsSecretName) -> Iterator[Span]:
    for verb in (" is ", " was "):
        place = text.find(verb)
        while place >= 0:
            start = place + len(verb)
            if text[max(0, place - 3) : place].lower() in _SAID_ENDINGS and is_secret_name(_name_before(text, place)):
                word = compiled(rf"[\"'`]?({_WORD})").match(text, start)
                if word and looks_random(word[1].rstrip(".)!?")) and (span := _bare(text, word.start(1))):
                    yield span
                    start = span[1]
            place = text.find(verb, start)


def _find_flags(text: str, is_secret_name: IsSecretName) -> Iterator[Span]:
    if " -u" in text or " --user" in text:
        yield from (match.span(1) for match in compiled(_USER_FLAG).finditer(text) if not is_placeholder(match[1]))
    place = 0 if text[0] == "-" else text.find(" -") + 1
    while True:
        end = place + 1
        flag = compiled(_FLAG).match(text, place)
        if flag and is_secret_name(flag[1]) and (span := _argument(text, flag.end())):
            yield span
            end = span[1]
        place = text.find(" -", end) + 1
        if not place:
            return


def _argument(text: str, start: int) -> Span | None:
    if quote := compiled(_QUOTE).match(text, start):
        return _quoted(text, quote.end(), quote[1])
    word = compiled(_WORD).match(text, start)
    prose = word is None or word[0].rstrip(".:)!?").lower() in _AFTER_FLAG
    return None if prose or is_placeholder_at(text, start) else _bare(text, start)


def _find_named(text: str, pattern: str, is_secret_name: IsSecretName) -> Iterator[Span]:
    for match in compiled(pattern).finditer(text):
        start, end = match.span(match.lastindex or 0)
        # Two names of secrets are a list of names.
        if not is_secret_name(match[1]) or (text[start:end].isidentifier() and is_secret_name(text[start:end])):
            continue
        if scheme := compiled(_SCHEME).match(text, start, end):
            start = scheme.end()
        if not is_placeholder(text[start:end].strip()):
            yield start, end
