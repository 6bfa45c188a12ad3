"""The secrets of a run: told to whatever shows something, and masked there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture import told
from pocketflow_otel.capture.redaction import MASK, Redactor
from pocketflow_otel.capture.seen import SeenSecrets
from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.errors import MissingValue
from pocketflow_otel.runtime.expressions.paths import Namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whole numbers of fewer digits are remembered as no secret.
_LEAST_SECRET_NUMBER: Final = 100_000
_MOST_BITS: Final = 256


class Secrets:
    """The secrets that a run knows. Threads may share one.

    What is added is masked wherever it stands, also quoted for URLs, escaped, or in base64; in all traces of the
    process too. Texts of fewer than 6 characters, and words that everyone uses such as ``password``, are not: they
    would take much else along.
    """

    def __init__(self) -> None:
        self._redactor = Redactor()
        self._seen = SeenSecrets()

    def add(self, text: str) -> None:
        """Takes a text for a secret, and what is secret within it, such as the password in a URL."""
        found = SeenSecrets()
        self._redactor.learn(text, found)
        self._take(found)

    def note(self, name: str, text: str) -> None:
        """Adds a text that stands under a secret's name; of another text, what looks like a secret."""
        if self._redactor.is_secret_name(name):
            self.add(text)
            return
        found = SeenSecrets()
        self._redactor.text(text, found)
        self._take(found)

    def shows(self, name: str, text: str) -> bool:
        """Whether a text under a name would show a secret: by its name or its shape."""
        return self._redactor.is_secret_name(name) or self._redactor.finds(text)

    def mask(self, text: str) -> str:
        """The text with a mask in place of every secret."""
        return self._seen.mask(text) if self._seen.known else text

    def shown(self, text: str) -> str:
        """The text with a mask in place of every secret, and of all that looks like one."""
        return self._redactor.text(text, self._seen) if text else text

    def masked(self, value: Any) -> Any:
        """A structure of dicts, lists and tuples with a mask in place of every secret, in keys too."""
        return self._masked(value) if self._seen.known else value

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._seen.mask(value)
        if isinstance(value, dict):
            return {self._masked(key): self._masked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if type(value) is tuple:
            return tuple(self._masked(item) for item in value)
        if type(value) is int and abs(value) >= _LEAST_SECRET_NUMBER and value.bit_length() <= _MOST_BITS:
            return MASK if self._seen.find(str(value)) else value
        return value

    def _take(self, found: SeenSecrets) -> None:
        if found.known:
            self._seen.adopt(found)
            told.tell(found)


class Environment(Namespace):
    """What ``${env.X}`` gives. A variable whose name or value is a secret's is known as one from when it is read.

    Args:
        environ: The variables.
        secrets: Where secrets are noted.
    """

    __slots__ = ("_environ", "_noted", "_secrets")

    def __init__(self, environ: Mapping[str, str], secrets: Secrets) -> None:
        self._environ = environ
        self._secrets = secrets
        self._noted: set[tuple[str, str]] = set()

    def item(self, key: str) -> str:
        """The value of a variable.

        Raises:
            MissingValue: It is not set.
        """
        value = self._environ.get(key)
        if value is None:
            near = nearest(key, self._environ)
            raise MissingValue(f"env.{key} has no value: the environment variable {key} is not set", near)
        if (key, value) not in self._noted:
            self._secrets.note(key, value)
            self._noted.add((key, value))
        return value
