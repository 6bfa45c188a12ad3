"""Finds secrets in text by their shape: tokens of known providers, private keys, passwords in URLs, authorizations.

Texts are long and secrets rare, so each search begins with something cheap that nearly every text fails. Every search
is linear in the length of the text: quantifiers are bounded or possessive, and nothing is looked at twice.
"""

from __future__ import annotations

import binascii
import string
from typing import TYPE_CHECKING, Final

from pocketflow_otel.capture.secret_values import Span, compiled, is_placeholder, looks_random
from pocketflow_otel.capture.text_classes import OTHER, SEPARATOR, TOKEN_CHARACTER

if TYPE_CHECKING:
    from collections.abc import Iterator


# What follows the beginning of a region or anything but a letter or digit. Public identifiers and publishable keys are
# not among these. Where a beginning is an ordinary word too, digits or a long unbroken run must follow.
_TOKENS: Final = (
    # LLM, search and vector providers.
    r"sk-(?:(?:proj|svcacct|admin|ant|or|lf|None)-[\w-]{16,}|(?=[A-Za-z_]{0,64}[0-9]|[A-Za-z]{20})\w{16,}[\w-]*)",
    r"sk-[a-z]{2,8}-(?=[\w-]{0,64}[0-9])(?=[\w-]{0,64}[A-Z])[\w-]{20,}",
    r"(?:gsk|hf|r8|fw|pcsk|tgp_v1|lsv2_[ps][kt]|esecret|api_org|wandb_v1)_(?=[A-Za-z_]{0,64}[0-9]|[A-Za-z]{20})\w{16,}",
    r"(?:xai|pplx|csk|jina)[_-](?=[A-Za-z]{0,64}[0-9]|[A-Za-z]{20})[A-Za-z0-9]{16,}[\w-]*",
    r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{16,}",
    r"nvapi-[\w-]{20,}",
    r"fc-[0-9a-f]{32}",
    r"pa-(?=[\w-]{0,64}[0-9])(?=[\w-]{0,64}[A-Z])[\w-]{40,}",
    r"sk_[0-9a-f]{40,}",
    r"e2b_[0-9a-f]{32,}",
    r"ABSK[A-Za-z0-9+/=]{40,}",
    # Clouds.
    r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"AIza[\w-]{30,}",
    r"GOCSPX-[\w-]{20,}",
    r"ya29\.[\w.-]{20,}",
    r"1//0[\w-]{20,}",
    r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}",
    r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}",
    r"do[opr]_v1_[a-f0-9]{40,}",
    r"HRKU-[\w-]{20,}",
    r"dapi[0-9a-f]{32}(?:-[0-9])?",
    r"LTAI(?=[A-Za-z]{0,64}[0-9])[A-Za-z0-9]{12,}",
    # Code hosts and package registries.
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[\w.-]{16,}",
    r"AT(?:ATT|CTT|BB)[\w=-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-AgE[\w-]{16,}",
    r"rubygems_[0-9a-f]{40,}",
    r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])",
    r"oy2[a-z0-9]{43}(?![A-Za-z0-9])",
    r"dckr_[op]at_[\w-]{20,}",
    r"(?:bkua|sgp|CCIPAT|nfp|vcp)_(?=[A-Za-z_]{0,64}[0-9])\w{20,}",
    # Messages and mail.
    r"xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}",
    r"xapp-[0-9]-[\w-]{10,}",
    r"(?<=hooks\.slack\.com/services/)[\w/]{20,}",
    r"(?<=/api/webhooks/)[0-9]{10,}/[\w-]{30,}",
    r"[0-9]{8,10}:AA[\w-]{30,}",
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"SK[0-9a-f]{32}(?![A-Za-z0-9])",
    r"(?<!-)key-[0-9a-f]{32}",
    r"[0-9a-f]{32}-us[0-9]{1,2}(?![A-Za-z0-9])",
    r"xkeysib-[\w-]{32,}",
    r"re_(?=[A-Za-z_]{0,64}[0-9])[A-Za-z0-9]{8}_[A-Za-z0-9]{16,}",
    # Payments and shops.
    r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",
    r"whsec_[A-Za-z0-9+/=]{16,}",
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}",
    r"sq0(?:atp|csp)-[\w-]{20,}",
    r"EAAA[\w-]{56,}",
    # Operations.
    r"hv[sbr]\.[\w-]{20,}",
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{20,}",
    r"gl(?:sa|c)_[\w+/=]{24,}",
    r"sntry[su]_[\w+/=-]{24,}",
    r"NR(?:AK|II|JS)-[\w-]{20,}",
    r"tskey-[a-z]+-[\w-]{12,}",
    r"pul-[0-9a-f]{40}",
    r"(?:pscale_(?:tkn|pw|oauth)|sbp|sb_secret|aio|pnu)_(?=[\w.-]{0,64}[0-9])[\w.-]{20,}",
    r"PMAK-[0-9a-f]{20,}-[0-9a-f]{20,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",
    # Work places.
    r"(?:lin_api|secret|ntn|tfp|CFPAT)[_-](?=[A-Za-z]{0,64}[0-9])[A-Za-z0-9]{32,}",
    r"fig[du]_(?=[\w-]{0,64}[0-9])[\w-]{24,}",
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{40,}",
    r"pat-(?:na|eu|ap)[0-9]-[0-9a-f-]{30,}",
    r"sl\.[\w-]{60,}",
    # JSON Web Tokens: signed, encrypted, or cut off.
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}",
)

# Every token has so long a run of these.
_RUN: Final = TOKEN_CHARACTER * 16
_HEX_DIGITS: Final = string.hexdigits + "-"
_ESCAPED: Final = r"x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[abfnrtv0]"

_PRIVATE_KEY_EDGE: Final = r"-----(BEGIN|END) [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY_BODY: Final = r"[A-Za-z0-9+/=:,.\\\s-]*+"
_PRIVATE_KEY_LINE: Final = r"[A-Za-z0-9+/]{20}"
_BASE64_LINES: Final = string.ascii_letters + string.digits + "+/=\\\r\n\t"

_AUTHORITY: Final = r"[^\s/?#\"'<>`\\]{1,2048}+"
_LOOSE_AUTHORITY: Final = r"[^\s:/@\"'<>`]{0,256}+:(?![0-9]{1,5}(?:[/?]|\Z))[^\s\"'<>`?]{1,512}@(?=[\w\[])"
_CUT_PASSWORD: Final = 64
_TOKEN_AS_USER: Final = 16

_AUTHORIZATION: Final = r"\b[Bb](?:earer[ \t]+([\w.~+/-]{8,}+=*)|asic[ \t]+([A-Za-z0-9+/]{6,}+={0,2}))"
_CERTAIN_BEARER: Final = 32

_TOKEN: Final = rf"(?a:(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{{2}}))(?:{'|'.join(_TOKENS)}))"


def find_shapes(text: str, classes: bytes) -> Iterator[Span]:
    """Where secrets stand that can be told by their shape alone. Spans may overlap and are in no order.

    Args:
        text: Any text.
        classes: The classes of its characters.
    """
    yield from _find_tokens(text, classes)
    if "-" in text and "PRIVATE KEY" in text:
        yield from _find_private_keys(text)
    if SEPARATOR in classes and "://" in text:
        yield from _find_url_passwords(text)
    if "earer" in text or "asic " in text:
        yield from _find_authorizations(text)


def _find_tokens(text: str, classes: bytes) -> Iterator[Span]:
    run = classes.find(_RUN)
    end = 0
    while run >= 0:
        start = classes.rfind(OTHER, end, run) + 1 or end
        end = classes.find(OTHER, run)
        if end < 0:
            end = len(text)
        if start and text[start - 1] == "\\" and (escaped := compiled(_ESCAPED).match(text, start)):
            start = escaped.end()
        region = text[start:end]
        # Hashes and UUIDs are common, and but for one no token is like them.
        if region.strip(_HEX_DIGITS) or region.startswith("fc-"):
            for match in compiled(_TOKEN).finditer(region):
                yield start + match.start(), start + match.end()
        run = classes.find(_RUN, end)


def _find_private_keys(text: str) -> Iterator[Span]:
    begin = None
    after = 0
    for edge in compiled(_PRIVATE_KEY_EDGE).finditer(text):
        if edge[1] == "BEGIN":
            begin = edge.end() if begin is None else begin
        elif begin is not None:
            if not is_placeholder(text[begin : edge.start()].strip()):
                yield begin, edge.start()
            begin = None
        else:
            start = after + len(text[after : edge.start()].rstrip(_BASE64_LINES))
            if start < edge.start():
                yield start, edge.start()
        after = edge.end()
    if begin is not None:
        body = compiled(_PRIVATE_KEY_BODY).match(text, begin)
        if body and compiled(_PRIVATE_KEY_LINE).search(body[0]):
            yield body.span()


def _find_url_passwords(text: str) -> Iterator[Span]:
    colon = text.find("://")
    while colon >= 0:
        start = colon + 3
        user_info = _user_info(text, colon, start)
        user, divider, password = user_info.partition(":")
        if password and not is_placeholder(password):
            yield start + len(user) + 1, start + len(user_info)
        elif user and not divider and len(user) >= _TOKEN_AS_USER and looks_random(user):
            yield start, start + len(user)
        colon = text.find("://", start)


def _user_info(text: str, colon: int, start: int) -> str:
    # Passwords of databases are often not quoted as URLs want it.
    if not text.endswith(("http", "https", "HTTP", "HTTPS"), 0, colon) and (
        loose := compiled(_LOOSE_AUTHORITY).match(text, start)
    ):
        return loose[0][:-1]
    authority = compiled(_AUTHORITY).match(text, start)
    if authority is None:
        return ""
    user_info, at, _ = authority[0].rpartition("@")
    cut = authority.end() == len(text) or text[authority.end()] == "\n"
    if not at and cut and len(authority[0].partition(":")[2]) >= _CUT_PASSWORD:
        return authority[0]
    return user_info


def _find_authorizations(text: str) -> Iterator[Span]:
    for match in compiled(_AUTHORIZATION).finditer(text):
        if match[1]:
            if looks_random(match[1]) or len(match[1]) >= _CERTAIN_BEARER:
                yield match.span(1)
        elif _is_basic(match[2]):
            yield match.span(2)


def _is_basic(text: str) -> bool:
    try:
        decoded = binascii.a2b_base64(text)
    except binascii.Error:
        return False
    return b":" in decoded and decoded.isascii() and decoded.decode("ascii").isprintable()
