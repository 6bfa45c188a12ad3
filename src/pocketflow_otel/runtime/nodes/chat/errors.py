"""What may go wrong when a model is asked."""

from __future__ import annotations


class LlmError(Exception):
    """A model did not give what it was asked for."""


class LlmRequestError(LlmError):
    """The request was refused: a parameter, the model's name or the key is wrong."""


class LlmRateLimitError(LlmError):
    """There were too many requests, or a quota is used up."""


class LlmServerError(LlmError):
    """The server failed."""


class LlmConnectionError(LlmError):
    """Nobody could be reached, the connection broke, or the answer took too long."""


class LlmRefusalError(LlmError):
    """The model, or a filter, refused to answer."""


class LlmCutError(LlmError):
    """The answer was cut at the most tokens it may have."""


class LlmAnswerError(LlmError):
    """The answer is empty, or not the JSON that was asked for."""
