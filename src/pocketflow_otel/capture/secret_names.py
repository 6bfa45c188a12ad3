"""Tells names that secrets stand under (``api_key``, ``X-Auth-Token``) from those that look alike (``max_tokens``)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from pocketflow_otel.capture.secret_values import compiled, words

_WORDS: Final = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"
_LONGEST_NAME: Final = 256
# More words than these with spaces between them are a sentence, not a name.
_MOST_SPACES: Final = 4

# A name holding one of these words is a secret's.
_SECRET_WORDS: Final = words(
    "password passwords passwd passwds pwd passphrase passphrases passcode passcodes passkey passkeys secret "
    "secrets apikey apikeys bearer authorization credential credentials creds cookie cookies dsn otp totp ssn jwt "
    "cvv cvc mnemonic passwort kennwort senha"
)
# A name that ends in one of these is a secret's.
_SECRET_ENDINGS: Final = frozenset({"auth", "pw", "pin"})
_SECRET_PAIRS: Final = frozenset(
    {
        ("backup", "code"),
        ("backup", "codes"),
        ("card", "number"),
        ("connection", "string"),
        ("connection", "strings"),
        ("conn", "str"),
        ("conn", "string"),
        ("credit", "card"),
        ("pin", "code"),
        ("recovery", "code"),
        ("recovery", "codes"),
        ("recovery", "phrase"),
        ("seed", "phrase"),
        ("shared", "access"),
        ("verification", "code"),
    }
)
_PASS_OWNERS: Final = words(
    "admin api auth basic bind cert database db email ftp http imap key ldap login mail mongo my mysql oracle pg "
    "pop postgres proxy redis root sftp smtp sql ssh sudo user vpn"
)
_PIN_OWNERS: Final = words("account atm bank card door my phone security sim user")
_KEY_KINDS: Final = words(
    "access account admin anthropic api app application auth azure bot client cohere consumer crypto decryption "
    "deepseek deploy deployment encryption gemini google gpg groq hf hmac huggingface jwt langfuse langsmith "
    "license login master mistral openai openrouter perplexity pgp pinecone private rsa secret security serp "
    "serpapi serper service session shared signing ssh ssl storage stripe subscription symmetric tavily tls "
    "together voyage wandb webhook xai"
)
_TOKEN_KINDS: Final = words("access api auth bearer bot csrf id identity jwt oauth refresh security session user xsrf")
# "token" after one of these is a piece of text, or a place in a list.
_TEXT_TOKENS: Final = words(
    "avg begin bos by cls completion continuation cost current each end eos eot every final first generated image "
    "input last lexer mask max mean median min next num number of one output pad page padding per predicted prev "
    "previous price prompt sampled sep single special start stop syntax text this to total unk unknown"
)
# A name that ends in one of these tells something about a secret.
_ABOUT: Final = words(
    "algorithm allowed at attempts attribute backend class column count created default domain enabled endpoint env "
    "error errors exists expiration expired expires expiry failed field fields file filename form format generator "
    "in index input invalid label len length limit lifetime location manager max message method min minimum missing "
    "mode name names needed option options param parameter path pattern placeholder policies policy present "
    "provider providers question regex required requirements reset retries rotation rule rules scheme scope scopes "
    "size source status store strength timeout ttl type types updated uri url usage valid validator var variable "
    "version"
)
_WRAPPINGS: Final = frozenset({"b", "base", "header", "plain", "raw", "str", "string", "text", "value", "values"})
_JOINED: Final = (
    r"(?:password|passwd|passphrase|apikey|secretkey|accesskey|privatekey|signingkey|encryptionkey|authkey|clientsecret"
    r"|(?:access|auth|refresh|session|csrf|xsrf|bearer|api|bot)token|credentials?|connectionstring)s?\Z"
)
_ELSEWHERE: Final = ("密码", "密碼", "密钥", "密鑰", "口令", "令牌", "пароль", "contraseña")


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is a secret.

    Args:
        name: A key, attribute, parameter, header or environment variable, in any of the usual spellings.

    Returns:
        True for the names of passwords, keys, tokens, credentials and cookies; False for what only resembles them.
    """
    name = name[:_LONGEST_NAME]
    if name.count(" ") > _MOST_SPACES:
        return False
    if not name.isascii() and any(word in name.lower() for word in _ELSEWHERE):
        return True
    parts = [word.lower() for word in compiled(_WORDS).findall(name)]
    return bool(parts) and not (len(parts) > 1 and parts[-1] in _ABOUT) and _says_secret(parts)


def _says_secret(parts: list[str]) -> bool:
    if not _SECRET_WORDS.isdisjoint(parts) or compiled(_JOINED).search("".join(parts)):
        return True
    if any(_is_secret_pair(first, second) for first, second in pairwise(parts)):
        return True
    while len(parts) > 1 and parts[-1] in _WRAPPINGS:
        parts = parts[:-1]
    last = parts[-1]
    if last == "token":
        return len(parts) == 1 or parts[-2] not in _TEXT_TOKENS
    if last == "pin":
        return len(parts) == 1 or parts[-2] in _PIN_OWNERS
    return last in _SECRET_ENDINGS


def _is_secret_pair(first: str, second: str) -> bool:
    if second in ("key", "keys"):
        return first in _KEY_KINDS
    if second == "tokens":
        return first in _TOKEN_KINDS
    if second == "pass":
        return first in _PASS_OWNERS
    return (first, second) in _SECRET_PAIRS
