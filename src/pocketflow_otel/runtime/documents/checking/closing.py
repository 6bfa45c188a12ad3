"""Models that take no fields but their own."""

from __future__ import annotations

from functools import lru_cache
from types import new_class

from pydantic import BaseModel, ConfigDict, RootModel


@lru_cache(maxsize=1024)
def closed(model: type[BaseModel]) -> type[BaseModel]:
    """A model that refuses fields that it does not know, unless it says that it takes any.

    pydantic's models ignore them by default: a field that is misspelled in a document would be missing without a word.
    """
    if model.model_config.get("extra") in {"allow", "forbid"} or issubclass(model, RootModel):
        return model
    members = {"__module__": model.__module__, "__doc__": model.__doc__, "model_config": ConfigDict(extra="forbid")}
    made: type[BaseModel] = new_class(model.__name__, (model,), exec_body=lambda namespace: namespace.update(members))
    return made
